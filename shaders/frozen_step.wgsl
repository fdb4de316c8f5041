// One recurrent layer reads one vector, or the output layer makes logits of one: batch 1, nothing kept for a gradient.
//
//   output   y = W·x + b
//   rnn      h = f(a), f being tanh or relu
//   gru      r,z = σ(a_r), σ(a_z); n = tanh(W_n·x + b_n + r·(U_n·h + d_n)); h = n + z·(h − n)
//   lstm     i,f,o = σ(a_i), σ(a_f), σ(a_o); c = f·c + i·tanh(a_g); h = o·tanh(c)      with a = W·x + b + U·h + d
//
//   x        [·]                       the vector begins at x_at
//   weights  [G·H, I] [G·H, H] [G·H] [G·H]   W, U, b, d; the output layer has W and b alone, with H rows; as
//                                  lib/frozen_float32.wgsl or lib/frozen_float16.wgsl says
//   state    [2, H] [H]                h before and after, at h_read and h_write; c. The logits, in the output layer
//
// One workgroup computes one unit; its invocations share the sums. Workgroups: H, folded into two dimensions.

struct Params {
  cell: u32,     // 0 output, 1 rnn with tanh, 2 rnn with relu, 3 gru, 4 lstm
  gates: u32,
  inputs: u32,   // I
  units: u32,    // H
  recurrent: u32,  // H; 0 in the output layer
  x_at: u32,
  h_read: u32,
  h_write: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<Word>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

var<workgroup> partial: array<vec4f, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let unit = workgroup.y * workgroups.x + workgroup.x;
  let rows = params.gates * params.units;
  let input_words = (params.inputs + PER_WORD - 1u) / PER_WORD;
  let hidden_words = (params.recurrent + PER_WORD - 1u) / PER_WORD;
  let hidden_at = rows * input_words;
  let bias_at = hidden_at + rows * hidden_words;
  var sum = vec4f();
  if (unit < params.units) {
    for (var gate = 0u; gate < params.gates; gate++) {
      let row = gate * params.units + unit;
      var value = select(0.0, bias(bias_at + row), local == 0u);
      for (var k = local; k < input_words; k += 64u) {
        let pair = weight_pair(row * input_words + k);
        let at = PER_WORD * k;
        value += pair.x * x[params.x_at + at];
        if (PER_WORD > 1u && at + 1u < params.inputs) {
          value += pair.y * x[params.x_at + at + 1u];
        }
      }
      sum[gate] = value;
      if (params.recurrent > 0u) {
        value = select(0.0, bias(bias_at + rows + row), local == 0u);
        for (var k = local; k < hidden_words; k += 64u) {
          let pair = weight_pair(hidden_at + row * hidden_words + k);
          let at = PER_WORD * k;
          value += pair.x * state[params.h_read + at];
          if (PER_WORD > 1u && at + 1u < params.recurrent) {
            value += pair.y * state[params.h_read + at + 1u];
          }
        }
        // n of the gru keeps its two products apart.
        sum[select(gate, 3u, params.cell == 3u && gate == 2u)] += value;
      }
    }
  }
  partial[local] = sum;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (local < half) {
      partial[local] += partial[local + half];
    }
    workgroupBarrier();
  }
  if (local == 0u && unit < params.units) {
    sum = partial[0];
    var h = sum.x;
    if (params.cell == 1u) {
      h = safe_tanh(sum).x;
    } else if (params.cell == 2u) {
      h = max(sum.x, 0.0);
    } else if (params.cell == 3u) {
      let gates = safe_sigmoid(sum);
      let n = safe_tanh(vec4f(sum.z + gates.x * sum.w)).x;
      h = n + gates.y * (state[params.h_read + unit] - n);
    } else if (params.cell == 4u) {
      let gates = safe_sigmoid(sum);
      let c_at = 2u * params.units + unit;
      let c = gates.y * state[c_at] + gates.x * safe_tanh(sum).z;
      state[c_at] = c;
      h = gates.w * safe_tanh(vec4f(c)).x;
    }
    state[params.h_write + unit] = h;
  }
}
