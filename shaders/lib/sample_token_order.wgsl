// The order in which tokens are kept: by falling logit, then by rising number. Both are written as digits that fall.
// For kernels with the parameter index_bits: tokens are below 2^index_bits.

struct Cut {
  key: u32,         // of the last logit kept; its lower digits do not count where the mask has no bits
  key_mask: u32,
  index: u32,       // of the last token kept among those of that key
  index_mask: u32,
}

// Whole numbers in the order of the reals.
fn key_of(value: f32) -> u32 {
  // Both zeros are one number.
  let bits = select(bitcast<u32>(value), 0u, value == 0.0);
  return bits ^ select(0x80000000u, 0xffffffffu, (bits >> 31u) != 0u);
}

fn index_of(token: u32) -> u32 {
  return (1u << params.index_bits) - 1u - token;
}

fn is_kept(value: f32, token: u32, limit: Cut) -> bool {
  let key = key_of(value) & limit.key_mask;
  return key > limit.key || (key == limit.key && (index_of(token) & limit.index_mask) >= limit.index);
}

fn weight_of(value: f32, highest: f32, temperature: f32) -> f32 {
  let x = max(value - highest, -100.0 * temperature) / temperature;
  return select(0.0, exp(x), x > -87.0);
}
