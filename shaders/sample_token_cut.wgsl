// Where to cut the logits of a row: the top_k highest, and of these the fewest that reach top_p of the probability.
// The cut is found digit by digit, as in a radix sort, from the highest digit on.
//
//   logits    [B, V]
//   settings  as in sample_token.wgsl
//   cuts      [B, 2, 4]; assigned: for each row where top_k cuts, then where top_p does
//
// One workgroup takes one batch row; an invocation has the tokens from local·width on. Workgroups: (B, 1, 1).

struct Params {
  classes: u32,     // V
  width: u32,       // ⌈V/64⌉
  temperature_at: u32,
  top_k_at: u32,
  top_p_at: u32,
  has_top_k: u32,
  has_top_p: u32,
  index_bits: u32,  // a multiple of four
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> settings: array<u32>;
@group(0) @binding(2) var<storage, read_write> cuts: array<vec4u>;
@group(1) @binding(0) var<uniform> params: Params;

// How far the search is.
struct Search {
  limit: Cut,
  need: f32,   // what the digits still to find must add
  found: u32,
}

var<workgroup> best_value: array<f32, 64>;
var<workgroup> bin_sums: array<f32, 1024>;    // [digit][invocation]
var<workgroup> bin_counts: array<f32, 1024>;
var<workgroup> digit_sums: array<f32, 16>;
var<workgroup> digit_counts: array<f32, 16>;
var<workgroup> shared_search: Search;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = workgroup.x;
  let first = row * params.classes;
  let begin = local * params.width;
  let end = min(begin + params.width, params.classes);
  let temperature = bitcast<f32>(settings[params.temperature_at]);
  let top_k = settings[params.top_k_at];
  let top_p = bitcast<f32>(settings[params.top_p_at]);
  let cuts_number = params.has_top_k != 0u && top_k > 0u && top_k < params.classes;
  let cuts_probability = params.has_top_p != 0u && top_p < 1.0;

  var highest = -3.4028234e38;
  for (var token = begin; token < end; token++) {
    highest = max(highest, logits[first + token]);
  }
  best_value[local] = highest;
  workgroupBarrier();
  for (var other = 0u; other < 64u; other++) {
    highest = max(highest, best_value[other]);
  }

  // Nothing is cut away. What the second stage keeps is kept only where the first one keeps it.
  var limit = Cut(0u, 0u, 0u, 0u);
  var outer = limit;
  for (var stage = 0u; stage < 2u; stage++) {
    let wanted = select(cuts_probability, cuts_number, stage == 0u);
    if (!wanted || temperature == 0.0) {
      continue;
    }
    // Digits of four bits, from the highest on. Each invocation adds up what it has by digit.
    outer = limit;
    limit = Cut(0u, 0u, 0u, 0u);
    var need = select(top_p, f32(top_k), stage == 0u);
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
        var next = Search(limit, need, 0u);
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
          next.limit.key |= chosen << u32(shift - i32(params.index_bits));
          next.limit.key_mask |= 15u << u32(shift - i32(params.index_bits));
        } else {
          next.limit.index |= chosen << u32(shift);
          next.limit.index_mask |= 15u << u32(shift);
        }
        // All that have these digits are kept, or there is but one.
        next.found = select(0u, 1u, digit_sums[chosen] <= next.need || digit_counts[chosen] == 1.0);
        shared_search = next;
      }
      let now = workgroupUniformLoad(&shared_search);
      limit = now.limit;
      need = now.need;
      if (now.found != 0u) {
        break;
      }
    }
  }
  if (local == 0u) {
    cuts[2u * row] = vec4u(outer.key, outer.key_mask, outer.index, outer.index_mask);
    cuts[2u * row + 1u] = vec4u(limit.key, limit.key_mask, limit.index, limit.index_mask);
  }
}
