// Probabilities as mantissa·2^exponent, the mantissa from 1 to below 2, or 0. Products of thousands of them neither
// underflow, as floats would, nor lose digits to their size, as float logarithms would.

struct Scaled {
  mantissa: f32,
  exponent: i32,
}

const NOTHING = Scaled(0.0, -0x20000000);
const CERTAINTY = Scaled(1.0, 0);

// 2^exponent, 0 below the normal floats.
fn power_of_two(exponent: i32) -> f32 {
  return bitcast<f32>(u32(clamp(exponent + 127, 0, 254)) << 23u);
}

// value·2^exponent, value being 0 or a normal float above 0.
fn scaled(value: f32, exponent: i32) -> Scaled {
  if (value <= 0.0) {
    return NOTHING;
  }
  let bits = bitcast<u32>(value);
  // Bounded, so that sums of two exponents stay within an i32.
  let sum = max(exponent + i32(bits >> 23u) - 127, -0x10000000);
  return Scaled(bitcast<f32>((bits & 0x7fffffu) | 0x3f800000u), sum);
}

fn scaled_add(a: Scaled, b: Scaled) -> Scaled {
  let exponent = max(a.exponent, b.exponent);
  let sum = a.mantissa * power_of_two(a.exponent - exponent) + b.mantissa * power_of_two(b.exponent - exponent);
  return scaled(sum, exponent);
}

fn scaled_multiply(a: Scaled, b: Scaled) -> Scaled {
  return scaled(a.mantissa * b.mantissa, a.exponent + b.exponent);
}

// a/b as a float; b is not 0.
fn scaled_ratio(a: Scaled, b: Scaled) -> f32 {
  return a.mantissa / b.mantissa * power_of_two(a.exponent - b.exponent);
}

// eˣ, 0 below −100,000. ln 2 is taken in two parts, so that x loses no digits.
fn scaled_exp(x: f32) -> Scaled {
  if (x < -1e5) {
    return NOTHING;
  }
  let bounded = min(x, 1e5);
  let exponent = floor(bounded * 1.44269504);
  let rest = (bounded - exponent * 0.693359375) + exponent * 2.12194440e-4;
  return scaled(exp(rest), i32(exponent));
}

// ln a; a is not 0.
fn scaled_log(a: Scaled) -> f32 {
  return log(a.mantissa) + f32(a.exponent) * 0.693147181;
}
