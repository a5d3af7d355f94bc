/// How pages look: one style for the reader's light or dark colours, narrow and wide windows, and paper.
enum PageStyle {
    static let text = colors + frame + controls + tables + pieces + charts

    private static let colors = """
        :root{color-scheme:light dark;--bg:#fff;--panel:#f6f8fa;--fg:#1d2329;--dim:#57616b;--line:#d8dee4;--link:#0a56c2;--accent:#0a56c2;--on-accent:#fff;\
        --good:#176f31;--bad:#b3261e;--warn:#7d5200;--mark:#fff3cd;--shadow:0 8px 24px rgba(20,28,38,.16);\
        --c0:#2563c9;--c1:#c2571a;--c2:#1f8a5d;--c3:#8443c2;--c4:#8f6c00;--c5:#bb2f68;--c6:#0d7f96;--c7:#5a6672;--c8:#a3372f;--c9:#4d7a12}
        @media (prefers-color-scheme:dark){:root{--bg:#0f1317;--panel:#171d23;--fg:#e3e8ed;--dim:#98a4b0;--line:#2b333b;--link:#7db3ff;--accent:#2f6fd6;--on-accent:#fff;\
        --good:#55c878;--bad:#ff8a80;--warn:#e3b457;--mark:#3a3113;--shadow:0 8px 24px rgba(0,0,0,.6);\
        --c0:#7db3ff;--c1:#ff9f6b;--c2:#5fd0a0;--c3:#c9a2ff;--c4:#e0c060;--c5:#ff8bb8;--c6:#5ccfe6;--c7:#a9b4c0;--c8:#ff8a80;--c9:#a6d45e}}

        """

    private static let frame = """
        *{box-sizing:border-box}html{scroll-padding-top:3rem}
        body{margin:0;background:var(--bg);color:var(--fg);font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
        .skip{position:absolute;left:-99rem}.skip:focus{left:.5rem;top:.5rem;z-index:9;background:var(--bg);padding:.3rem .6rem}
        header{display:flex;gap:.25rem;align-items:stretch;border-bottom:1px solid var(--line);padding:0 1.25rem;background:var(--panel);overflow-x:auto}
        header .brand{display:flex;align-items:center;gap:.45rem;font-weight:700;color:var(--fg);margin-right:1rem}header .brand svg{width:18px;height:18px}
        header nav{display:flex}header nav a{padding:.65rem .8rem;color:var(--dim);border-bottom:2px solid transparent;font-weight:550}
        header nav a:hover{color:var(--fg);text-decoration:none}header nav a[aria-current]{color:var(--fg);border-color:var(--accent)}
        main{max-width:80rem;margin:0 auto;padding:1rem 1.25rem 4rem}main.wide{max-width:none}
        h1{font-size:1.4rem;line-height:1.3;margin:.2rem 0;overflow-wrap:anywhere;font-weight:650}h2{font-size:1.05rem;margin:1.8rem 0 .6rem;font-weight:650}h3{font-size:.95rem;margin:1.2rem 0 .4rem}
        a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:3px}
        .trail{color:var(--dim);font-size:.9rem;overflow-wrap:anywhere}.trail span{margin:0 .15rem}
        .title{display:flex;flex-wrap:wrap;gap:.4rem .9rem;align-items:center;margin-bottom:.7rem}.title .actions{margin-left:auto;display:flex;gap:.5rem;flex-wrap:wrap}
        time{white-space:nowrap}.dim{color:var(--dim)}.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}.small{font-size:.9rem}
        .columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:0 2rem;align-items:start}.columns>*{min-width:0}
        .tabs{display:flex;gap:.25rem;border-bottom:1px solid var(--line);margin:.6rem 0 1rem;overflow-x:auto}
        .tabs a{padding:.45rem .8rem;color:var(--dim);border-bottom:2px solid transparent;white-space:nowrap}.tabs a[aria-current]{color:var(--fg);border-color:var(--accent);font-weight:600}.tabs a:hover{text-decoration:none;color:var(--fg)}

        """

    private static let controls = """
        input,select,button,.button,summary.button{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--line);border-radius:6px;padding:.32rem .65rem;line-height:1.4}
        input[type=checkbox]{accent-color:var(--accent);width:15px;height:15px;padding:0;margin:0;vertical-align:-2px}input[type=range]{padding:0;accent-color:var(--accent);vertical-align:middle}
        button,.button{cursor:pointer;display:inline-block;white-space:nowrap;font-weight:550;background:var(--panel)}button:hover,.button:hover{border-color:var(--dim);text-decoration:none}
        button.primary{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}button:disabled{opacity:.5;cursor:default}
        input[aria-invalid=true]{border-color:var(--bad)}::placeholder{color:var(--dim);opacity:.8}
        form.search,.bar{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:.5rem 0}form.search>input[type=search]{flex:1 1 18rem;min-width:0}form.bar>input[type=search]{width:15rem}form.code>input[type=search]{font-family:ui-monospace,SFMono-Regular,Menlo,monospace;font-size:13px}
        .bar{margin-bottom:.8rem}.bar .end{margin-left:auto;display:flex;gap:.75rem;align-items:center;flex-wrap:wrap}.bar label{display:inline-flex;gap:.4rem;align-items:center}
        .error{color:var(--bad);margin:.2rem 0 .6rem;overflow-wrap:anywhere}
        details.sheet{position:relative;display:inline-block}details.sheet>summary{list-style:none}details.sheet>summary::-webkit-details-marker{display:none}
        details.sheet>div{position:absolute;z-index:5;top:calc(100% + 4px);left:0;width:min(46rem,88vw);max-height:70vh;overflow:auto;background:var(--bg);border:1px solid var(--line);border-radius:8px;box-shadow:var(--shadow);padding:.8rem 1rem}
        details.sheet.right>div{left:auto;right:0}@media (max-width:44rem){details.sheet>div,details.sheet.right>div{position:fixed;left:1rem;right:1rem;top:auto;bottom:1rem;width:auto}}
        .choices{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.15rem .8rem;margin:.2rem 0 .6rem}.choices label{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
        .choices input{margin-right:.45rem}summary{cursor:pointer}
        .live{display:inline-flex;gap:.4rem;align-items:center}.live::before{content:"";width:8px;height:8px;border-radius:50%;background:var(--good)}.live.off::before{background:var(--dim)}.live.away::before{background:var(--bad)}

        """

    private static let tables = """
        .scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px}table{border-collapse:separate;border-spacing:0;width:100%}
        th,td{text-align:left;padding:.38rem .75rem;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}tbody tr:last-child>*{border-bottom:0}
        thead th{color:var(--dim);font-weight:600;font-size:.86rem;background:var(--panel);white-space:nowrap}thead th a{color:inherit}thead th[aria-sort] a{color:var(--fg)}
        tbody th{font-weight:400}tbody tr:hover>*{background:var(--panel)}
        td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;overflow-wrap:normal}
        .compact td,.compact th{white-space:nowrap;overflow-wrap:normal}.compact .clip{max-width:20rem}
        .clip{display:inline-block;max-width:28rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;vertical-align:bottom}
        table.facts{border:1px solid var(--line);border-radius:8px}table.facts th{width:11rem;color:var(--dim);font-weight:400}@media (max-width:44rem){table.facts th{width:7rem}}
        tr.child>td:nth-child(2),tr.child>th{padding-left:calc(.75rem + var(--depth,1)*1.4rem)}.d1{--depth:1}.d2{--depth:2}.d3{--depth:3}.d4{--depth:4}.d5{--depth:5}.d6{--depth:6}.d7{--depth:7}.d8{--depth:8}
        .expand{display:inline-block;min-width:1.15rem;color:var(--dim);text-align:center;margin-right:.25rem;font-size:.86rem}
        td.pick,th.pick{width:1px;padding-right:0}td.differs{background:var(--mark)}tr:hover>td.differs{background:var(--mark)}
        table.facts+.scroll,section>.scroll+.scroll,section>.scroll+.charts,section>.charts+.scroll,section>.charts+.charts{margin-top:1rem}.waterfall tr.child>td:nth-child(2){padding-left:.75rem}.waterfall td.stretch{width:50%;min-width:12rem;vertical-align:middle}.waterfall svg{display:block;width:100%;height:12px}.waterfall rect{fill:var(--c0)}.waterfall rect.bad{fill:var(--bad)}.waterfall rect.open{fill:var(--dim)}
        .waterfall tr.current>*{background:var(--mark)}.waterfall a[aria-current]{font-weight:600}
        .pager{display:flex;gap:.6rem;align-items:center;margin:.8rem 0;color:var(--dim)}

        """

    private static let pieces = """
        code,pre,.mono{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}code{background:var(--panel);border-radius:4px;padding:.05rem .3rem;overflow-wrap:anywhere}
        pre{background:var(--panel);border:1px solid var(--line);padding:.7rem .9rem;overflow-x:auto;border-radius:8px;margin:.5rem 0;tab-size:4}pre code{background:none;padding:0}
        .tag{display:inline-block;max-width:24rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;vertical-align:middle;background:var(--panel);border:1px solid var(--line);border-radius:999px;padding:0 .55rem;margin:0 .3rem .15rem 0;font-size:.86rem}
        .alias{border-color:var(--accent);color:var(--link);font-weight:600}
        .status{display:inline-flex;gap:.4rem;align-items:center;white-space:nowrap}.status::before{content:"";width:8px;height:8px;border-radius:50%;background:var(--dim);flex:none}
        .status.finished::before{background:var(--good)}.status.failed::before,.status.killed::before{background:var(--bad)}.status.running::before{background:var(--c0);animation:pulse 1.6s infinite}
        @keyframes pulse{50%{opacity:.25}}@media (prefers-reduced-motion:reduce){.status.running::before{animation:none}}
        .empty{border:1px dashed var(--line);border-radius:8px;padding:1.6rem;text-align:center;color:var(--dim)}.empty pre{text-align:left;max-width:42rem;margin:.8rem auto 0;color:var(--fg)}
        .note{overflow-wrap:anywhere;max-width:60rem}.note>:first-child{margin-top:0}.note table{width:auto}.note .scroll{width:fit-content;max-width:100%}details.about{margin:.4rem 0}.note blockquote{border-left:3px solid var(--line);margin:.5rem 0;padding-left:.8rem;color:var(--dim)}
        .browser{display:grid;grid-template-columns:minmax(14rem,20rem) minmax(0,1fr);gap:1.2rem}@media (max-width:52rem){.browser{grid-template-columns:minmax(0,1fr)}}
        .tree{border:1px solid var(--line);border-radius:8px;padding:.4rem 0;align-self:start;max-height:80vh;overflow:auto}.tree ul{list-style:none;margin:0;padding:0}.tree ul ul{padding-left:1rem}
        .tree a{display:flex;gap:.5rem;padding:.16rem .7rem;color:var(--fg)}.tree a:hover{background:var(--panel);text-decoration:none}.tree a[aria-current]{background:var(--panel);font-weight:600}
        .tree .name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.tree .size{margin-left:auto;color:var(--dim);white-space:nowrap;font-weight:400}.tree .mark{color:var(--dim);width:.8rem;flex:none;text-align:center}
        iframe{width:100%;height:70vh;border:1px solid var(--line);border-radius:8px;background:#fff}img.artifact{max-width:100%;border:1px solid var(--line);border-radius:8px;background:repeating-conic-gradient(#e8e8e8 0 25%,#fff 0 50%) 0 0/16px 16px}
        .cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:.8rem}.card{border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem}.card b{display:block;font-size:1.3rem;font-weight:650;font-variant-numeric:tabular-nums}.card span{color:var(--dim)}
        ol.trace{list-style:none;margin:0;padding:0 0 0 .4rem}ol.trace li{border-left:2px solid var(--line);padding:0 0 .9rem 1rem;position:relative}ol.trace li::before{content:"";position:absolute;left:-6px;top:.4rem;width:10px;height:10px;border-radius:50%;background:var(--accent)}

        """

    private static let charts = """
        .charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(24rem,100%),1fr));gap:1rem}figure{margin:0;border:1px solid var(--line);border-radius:8px;padding:.6rem .7rem .4rem;min-width:0}
        figcaption{font-weight:600;overflow-wrap:anywhere;margin-bottom:.2rem}svg.chart{display:block;width:100%;height:auto;font:11px system-ui,sans-serif}svg.chart text{fill:var(--dim)}
        .legend{display:flex;flex-wrap:wrap;gap:.1rem .9rem;font-size:.86rem;padding:.2rem 0}.legend span,.legend a{max-width:16rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;color:var(--fg)}.legend i{font-style:normal;margin-right:.3rem}
        .c0{color:var(--c0)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}.c4{color:var(--c4)}.c5{color:var(--c5)}.c6{color:var(--c6)}.c7{color:var(--c7)}.c8{color:var(--c8)}.c9{color:var(--c9)}
        svg.chart .hit{fill:transparent}svg.chart .hit:hover{fill:currentColor}
        @media print{header,.bar,form,.actions,.pager{display:none}main{max-width:none}}
        """
}
