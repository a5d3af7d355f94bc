import Domain

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A number as it stood in JSON text.
struct JSONNumber {
    /// The nearest double; an overflow reads as an infinity.
    var double: Double
    /// The exact integer, when the text was one without fraction or exponent and fits.
    var int: Int64?
}

extension JSONScanner {
    /// Reads a number with JSON's grammar and correct rounding.
    ///
    /// Up to 19 significant digits and a power of ten that a double holds exactly take the short way (one
    /// multiplication or division of two exact doubles is correctly rounded); anything else goes to `strtod`.
    /// Source: W. Clinger, "How to Read Floating Point Numbers Accurately", PLDI 1990.
    @inline(__always)
    mutating func number() throws(Error) -> JSONNumber {
        skipSpace()
        let first = at
        let isNegative = at < end && at.pointee == UInt8(ascii: "-")
        if isNegative { at += 1 }
        var mantissa: UInt64 = 0
        var digits = 0
        let firstDigit = at
        while at < end, at.pointee &- 48 < 10 {
            mantissa = mantissa &* 10 &+ UInt64(at.pointee &- 48)
            digits += 1
            at += 1
        }
        guard digits > 0 else { throw error("expected a value") }
        guard digits == 1 || firstDigit.pointee != UInt8(ascii: "0") else { throw error("number with a leading zero") }
        var exponent = 0
        var isInteger = true
        if at < end, at.pointee == UInt8(ascii: ".") {
            isInteger = false
            at += 1
            let firstFraction = at
            while at < end, at.pointee &- 48 < 10 {
                mantissa = mantissa &* 10 &+ UInt64(at.pointee &- 48)
                digits += 1
                at += 1
            }
            exponent = firstFraction - at
            guard exponent < 0 else { throw error("number without digits after the point") }
        }
        if at < end, at.pointee | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            exponent += try exponentPart()
        }
        if digits <= 19 {
            if isInteger, mantissa <= UInt64(Int64.max) {
                let value = isNegative ? -Int64(mantissa) : Int64(mantissa)
                return JSONNumber(double: isNegative && mantissa == 0 ? -0.0 : Double(value), int: value)
            }
            if mantissa <= 1 << 53, (-22...22).contains(exponent) {
                let magnitude =
                    exponent < 0 ? Double(mantissa) / Self.powersOfTen[-exponent] : Double(mantissa) * Self.powersOfTen[exponent]
                return JSONNumber(double: isNegative ? -magnitude : magnitude, int: nil)
            }
        }
        return JSONNumber(double: slowDouble(first), int: nil)
    }

    private mutating func exponentPart() throws(Error) -> Int {
        at += 1
        let isNegative = at < end && at.pointee == UInt8(ascii: "-")
        if isNegative || (at < end && at.pointee == UInt8(ascii: "+")) { at += 1 }
        var value = 0
        let first = at
        while at < end, at.pointee &- 48 < 10 {
            if value < 100_000 { value = value * 10 + Int(at.pointee &- 48) }
            at += 1
        }
        guard at > first else { throw error("number without digits in the exponent") }
        return isNegative ? -value : value
    }

    private func slowDouble(_ first: UnsafePointer<UInt8>) -> Double {
        let text = String(decoding: UnsafeBufferPointer(start: first, count: at - first), as: UTF8.self)
        return strtod(text, nil)
    }

    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]
}
