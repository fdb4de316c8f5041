// tokens[b] drawn from softmax(logits[b]/temperature), among the top_k highest logits and, of these, the fewest that
// reach top_p of the probability; −1 where a logit is not finite. The logits are given, or computed here first as
// logits[b,v] = h[b]·weight[v] + bias[v].
//
//   logits    [B, V]  given, or assigned
//   h         rows of K from h_at on, in vec4; read when quads > 0
//   weight    [K, V], K and V padded to multiples of four with zeros; read when quads > 0
//   bias      [V], read when has_bias
//   settings  whole numbers and, as bits, reals: temperature, top_k (0: all), top_p, the position drawn for less step
//   seeds     [B, 2]
//   tokens    assigned from tokens_at on
//
// One workgroup draws for one batch row; an invocation has the tokens from local·width on. Workgroups: (B, 1, 1).
//
// Random numbers: Threefry-2x32, key seeds[b], counter (position, 0); the first word's upper 24 bits.

struct Params {
  classes: u32,     // V
  width: u32,       // ⌈V/64⌉; a multiple of four when quads > 0
  quads: u32,       // K/4; 0: the logits are given
  h_at: u32,
  has_bias: u32,
  temperature_at: u32,
  top_k_at: u32,
  top_p_at: u32,
  position_at: u32,
  step: u32,        // added to the position
  tokens_at: u32,
  index_bits: u32,  // tokens are below 2^index_bits, a multiple of four
}

@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read> h: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> settings: array<u32>;
@group(0) @binding(5) var<storage, read> seeds: array<u32>;
@group(0) @binding(6) var<storage, read_write> tokens: array<i32>;
@group(1) @binding(0) var<uniform> params: Params;

// Tokens in their order: by falling logit, then by rising number. Both are written as digits that fall.
struct Cut {
  key: u32,          // of the last logit kept; its lower digits are not yet known where the mask has no bits
  key_mask: u32,
  index: u32,        // of the last token kept among those of that key
  index_mask: u32,
  need: f32,         // what the digits still to find must add
  found: u32,
}

var<workgroup> best_value: array<f32, 64>;
var<workgroup> best_token: array<u32, 64>;
var<workgroup> sums: array<f32, 64>;
var<workgroup> bin_sums: array<f32, 1024>;    // [digit][invocation]
var<workgroup> bin_counts: array<f32, 1024>;
var<workgroup> digit_sums: array<f32, 16>;
var<workgroup> digit_counts: array<f32, 16>;
var<workgroup> cut: Cut;

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

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = workgroup.x;
  let first = row * params.classes;
  let begin = local * params.width;
  let end = min(begin + params.width, params.classes);
  let temperature = bitcast<f32>(settings[params.temperature_at]);
  let top_k = settings[params.top_k_at];
  let top_p = bitcast<f32>(settings[params.top_p_at]);

  if (params.quads != 0u) {
    for (var token = begin; token < end; token += 4u) {
      let sum = logits_product(params.h_at + row * params.quads, token / 4u, (params.classes + 3u) / 4u);
      for (var i = 0u; i < min(4u, end - token); i++) {
        var logit = sum[i];
        if (params.has_bias != 0u) {
          logit += bias[token + i];
        }
        logits[first + token + i] = logit;
      }
    }
  }
  var highest = -3.4028234e38;
  var highest_token = begin;
  var finite = true;
  for (var token = begin; token < end; token++) {
    let logit = logits[first + token];
    // By its bits: compilers may take it for granted that numbers are finite.
    finite = finite && (bitcast<u32>(logit) & 0x7f800000u) != 0x7f800000u;
    if (logit > highest) {
      highest = logit;
      highest_token = token;
    }
  }

  let cuts_number = top_k > 0u && top_k < params.classes;
  let cuts_probability = top_p < 1.0;
  if (temperature != 0.0 && (cuts_number || cuts_probability)) {
    // The weights that are compared are relative to one maximum.
    best_value[local] = highest;
    workgroupBarrier();
    for (var other = 0u; other < 64u; other++) {
      highest = max(highest, best_value[other]);
    }
    workgroupBarrier();
  }
  // Nothing is cut away. What the second stage keeps is kept only where the first one keeps it.
  var limit = Cut(0u, 0u, 0u, 0u, 0.0, 0u);
  var outer = limit;
  for (var stage = 0u; stage < 2u; stage++) {
    let wanted = select(cuts_probability, cuts_number, stage == 0u);
    if (!wanted || temperature == 0.0) {
      continue;
    }
    // Digits of four bits, from the highest on. Each invocation adds up what it has by digit.
    outer = limit;
    limit = Cut(0u, 0u, 0u, 0u, select(top_p, f32(top_k), stage == 0u), 0u);
    for (var shift = 32 + i32(params.index_bits) - 4; shift >= 0; shift -= 4) {
      let by_key = shift >= i32(params.index_bits);
      for (var digit = 0u; digit < 16u; digit++) {
        bin_sums[digit * 64u + local] = 0.0;
        bin_counts[digit * 64u + local] = 0.0;
      }
      for (var token = begin; token < end; token++) {
        let value = logits[first + token];
        let key = key_of(value);
        let index = index_of(token);
        let here = (key & limit.key_mask) == limit.key && (index & limit.index_mask) == limit.index;
        if (here && is_kept(value, token, outer)) {
          let digit = select(index >> u32(shift), key >> u32(shift - i32(params.index_bits)), by_key) & 15u;
          bin_sums[digit * 64u + local] += select(weight_of(value, highest, temperature), 1.0, stage == 0u);
          bin_counts[digit * 64u + local] += 1.0;
        }
      }
      workgroupBarrier();
      if (local < 16u) {
        var sum = 0.0;
        var count = 0.0;
        for (var other = 0u; other < 64u; other++) {
          sum += bin_sums[local * 64u + other];
          count += bin_counts[local * 64u + other];
        }
        digit_sums[local] = sum;
        digit_counts[local] = count;
      }
      workgroupBarrier();
      if (local == 0u) {
        var next = limit;
        if (stage == 1u && shift == 28 + i32(params.index_bits)) {
          var total = 0.0;
          for (var digit = 0u; digit < 16u; digit++) {
            total += digit_sums[digit];
          }
          next.need *= total;
        }
        // The digit at which what is needed is reached; where rounding lets it be missed, the last there is.
        var chosen = 0u;
        var before = 0.0;
        var above = 0.0;
        for (var i = 0u; i < 16u; i++) {
          let digit = 15u - i;
          if (digit_counts[digit] > 0.0) {
            chosen = digit;
            before = above;
            above += digit_sums[digit];
            if (above >= next.need) {
              break;
            }
          }
        }
        next.need -= before;
        if (by_key) {
          next.key |= chosen << u32(shift - i32(params.index_bits));
          next.key_mask |= 15u << u32(shift - i32(params.index_bits));
        } else {
          next.index |= chosen << u32(shift);
          next.index_mask |= 15u << u32(shift);
        }
        // All that have these digits are kept, or there is but one.
        next.found = select(0u, 1u, digit_sums[chosen] <= next.need || digit_counts[chosen] == 1.0);
        cut = next;
      }
      limit = workgroupUniformLoad(&cut);
      if (limit.found != 0u) {
        break;
      }
    }
  }

  // What each invocation has, relative to its own maximum or to that of all.
  var sum = 0.0;
  if (temperature != 0.0) {
    for (var token = begin; token < end; token++) {
      let value = logits[first + token];
      if (is_kept(value, token, outer) && is_kept(value, token, limit)) {
        sum += weight_of(value, highest, temperature);
      }
    }
  }
  best_value[local] = highest;
  best_token[local] = select(0xffffffffu, highest_token, finite);
  sums[local] = sum;
  workgroupBarrier();
  if (local == 0u) {
    let owners = min(64u, (params.classes + params.width - 1u) / params.width);
    for (var other = 1u; other < owners; other++) {
      finite = finite && best_token[other] != 0xffffffffu;
      if (best_value[other] > highest) {
        highest = best_value[other];
        highest_token = best_token[other];
      }
    }
    var chosen = highest_token;
    if (temperature != 0.0) {
      var total = 0.0;
      for (var other = 0u; other < owners; other++) {
        let share = sums[other] * weight_of(best_value[other], highest, temperature);
        sums[other] = share;
        total += share;
      }
      let position = settings[params.position_at] + params.step;
      let random = threefry2x32(vec2u(seeds[2u * row], seeds[2u * row + 1u]), vec2u(position, 0u)).x >> 8u;
      var rest = f32(random) * 0x1p-24 * total;
      // The last invocation that has any weight, unless an earlier one exceeds the rest.
      var owner = 0u;
      for (var other = 0u; other < owners; other++) {
        let share = sums[other];
        if (share > 0.0) {
          owner = other;
          if (rest < share) {
            break;
          }
          rest -= share;
        }
      }
      for (var token = owner * params.width; token < min((owner + 1u) * params.width, params.classes); token++) {
        let value = logits[first + token];
        if (is_kept(value, token, outer) && is_kept(value, token, limit)) {
          let share = weight_of(value, highest, temperature);
          if (share > 0.0) {
            chosen = token;
            if (rest < share) {
              break;
            }
            rest -= share;
          }
        }
      }
    }
    tokens[params.tokens_at + row] = select(-1, i32(chosen), finite);
  }
}
