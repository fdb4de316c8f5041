// tokens[b] drawn from softmax(logits[b]/temperature), among those that the cuts keep; −1 where a logit is not finite. The logits are given, or computed here first as
// logits[b,v] = h[b]·weight[v] + bias[v].
//
//   logits    [B, V]  given, or assigned
//   h         rows of K from h_at on, in vec4; read when quads > 0
//   weight    [K, V], K and V padded to multiples of four with zeros; read when quads > 0
//   bias      [V], read when has_bias
//   settings  whole numbers and, as bits, reals: temperature, top_k (0: all), top_p, the position drawn for less step
//   seeds     [B, 2]
//   cuts      [B, 2, 4] of sample_token_cut.wgsl, read when has_cuts
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
  has_cuts: u32,
  temperature_at: u32,
  position_at: u32,
  step: u32,        // added to the position
  tokens_at: u32,
  index_bits: u32,  // tokens are below 2^index_bits, a multiple of four
}

@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read> h: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<Weights>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> settings: array<u32>;
@group(0) @binding(5) var<storage, read> seeds: array<u32>;
@group(0) @binding(6) var<storage, read> cuts: array<vec4u>;
@group(0) @binding(7) var<storage, read_write> tokens: array<i32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> best_value: array<f32, 64>;
var<workgroup> best_token: array<u32, 64>;
var<workgroup> sums: array<f32, 64>;

fn is_kept_in_row(row: u32, value: f32, token: u32) -> bool {
  if (params.has_cuts == 0u) {
    return true;
  }
  let outer = cuts[2u * row];
  let inner = cuts[2u * row + 1u];
  return is_kept(value, token, Cut(outer.x, outer.y, outer.z, outer.w)) &&
    is_kept(value, token, Cut(inner.x, inner.y, inner.z, inner.w));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = workgroup.x;
  let first = row * params.classes;
  let begin = local * params.width;
  let end = min(begin + params.width, params.classes);
  let temperature = bitcast<f32>(settings[params.temperature_at]);

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

  // What each invocation has, relative to its own maximum.
  var sum = 0.0;
  if (temperature != 0.0) {
    for (var token = begin; token < end; token++) {
      let value = logits[first + token];
      if (is_kept_in_row(row, value, token)) {
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
        if (is_kept_in_row(row, value, token)) {
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
