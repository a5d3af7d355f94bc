/// What a script adds to pages that work without one: they refresh in place, choices apply at once, rows are counted.
enum PageScript {
    static let text = #"""
        "use strict";
        (() => {
          // Links as MLflow's clients print them.
          const old = location.pathname === "/" && location.hash.match(
            /^#\/(?:experiments\/([\w-]+)(?:\/(?:runs\/([\w-]+)|(traces)|evaluation-runs\?(?:.*&)?selectedRunUuid=([\w-]+)))?|models(?:\/([^/?]+)(?:\/versions\/(\d+))?)?)/);
          if (old) {
            const [, experiment, plain, traces, selected, model, version] = old, run = plain || selected;
            location.replace(run ? "/runs/" + run : experiment ? "/experiments/" + experiment + (traces ? "/traces" : "")
              : model ? "/models/" + model + (version ? "/versions/" + version : "") : "/models");
            return;
          }

          // The parts that renew themselves, as the server sent them.
          const seen = new WeakMap([...document.querySelectorAll("[data-live]")].map(part => [part, part.innerHTML]));

          // Choices of such a form apply at once.
          document.addEventListener("change", event => {
            const form = event.target.form;
            if (form && form.hasAttribute("data-auto")) form.requestSubmit();
            if (form && form.hasAttribute("data-picks")) count(form);
          });
          document.addEventListener("input", event => {
            const output = event.target.type === "range" && event.target.parentNode.querySelector("output");
            if (output) output.value = event.target.value;
          });
          // Empty fields would only make the address longer.
          document.addEventListener("submit", event => {
            if (event.target.method !== "get") return;
            for (const field of event.target.elements) if (field.name && field.value === "") field.disabled = true;
          });
          addEventListener("pageshow", () => {
            for (const field of document.querySelectorAll("form [name]:disabled")) field.disabled = false;
          });
          // An open sheet closes like a menu.
          document.addEventListener("click", event => {
            for (const sheet of document.querySelectorAll("details.sheet[open]")) if (!sheet.contains(event.target)) sheet.open = false;
          });
          document.addEventListener("keydown", event => {
            if (event.key === "Escape") for (const sheet of document.querySelectorAll("details.sheet[open]")) {
              sheet.open = false;
              sheet.querySelector("summary").focus();
            }
            if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
              const box = document.querySelector("input[type=search]");
              if (box) { box.focus(); event.preventDefault(); }
            }
          });

          // Rows that were picked, to compare them.
          const picks = form => [...form.elements].filter(field => field.type === "checkbox");
          const count = form => {
            const boxes = picks(form), chosen = boxes.filter(box => box.checked).length;
            const button = [...form.elements].find(field => field.tagName === "BUTTON");
            button.textContent = chosen ? "Compare " + chosen : "Compare";
            button.disabled = chosen < 2;
            const all = document.querySelector("input[data-all]");
            if (all) {
              all.checked = chosen > 0 && chosen === boxes.length;
              all.indeterminate = chosen > 0 && chosen < boxes.length;
              all.hidden = false;
            }
          };
          document.addEventListener("change", event => {
            if (!event.target.hasAttribute("data-all")) return;
            const form = document.querySelector("form[data-picks]");
            for (const box of picks(form)) box.checked = event.target.checked;
            count(form);
          });
          const countAll = () => { for (const form of document.querySelectorAll("form[data-picks]")) count(form); };
          countAll();

          // What changes while one looks at it.
          const main = document.querySelector("main[data-refresh]");
          if (!main) return;
          const renew = async () => {
            if (document.hidden) return;
            const mark = document.querySelector(".live");
            try {
              const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
              if (!answer.ok) throw new Error(answer.status);
              const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
              if (mark) mark.classList.remove("away");
              for (const part of document.querySelectorAll("[data-live]")) {
                const next = fresh.querySelector("[data-live='" + part.dataset.live + "']");
                if (!next || next.innerHTML === seen.get(part) || part.contains(document.activeElement) && document.activeElement.matches("input:not([type=checkbox]),select")) continue;
                seen.set(part, next.innerHTML);
                const chosen = new Set([...part.querySelectorAll("input:checked")].map(box => box.value));
                const open = [...part.querySelectorAll("details")].map(one => one.open);
                const focus = document.activeElement && part.contains(document.activeElement) && document.activeElement.getAttribute("href");
                part.innerHTML = next.innerHTML;
                for (const box of part.querySelectorAll("input[type=checkbox]")) if (chosen.has(box.value)) box.checked = true;
                part.querySelectorAll("details").forEach((one, index) => { if (open[index]) one.open = true; });
                if (focus) { const link = [...part.querySelectorAll("a")].find(one => one.getAttribute("href") === focus); if (link) link.focus(); }
              }
              countAll();
              if (!fresh.querySelector("main[data-refresh]")) { clearInterval(timer); if (mark) mark.classList.add("off"); }
            } catch { if (mark) mark.classList.add("away"); }
          };
          const timer = setInterval(renew, 1000 * Number(main.dataset.refresh));
        })();
        """#
}
