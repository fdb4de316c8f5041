// One time step of an RNN layer, both directions at once: recurrent product and new state in one dispatch.
// A simple RNN's step: h = tanh(a + h·W_hhᵀ + b), or another activation.
//
//   gates    [D, T·B, H] in: a = x·W_ihᵀ + b_ih; out when save: the new state, before zoneout
//   weight   [D, K, H]   W_hhᵀ: row k, unit
//   vectors  [D, H]      b_hh, read when has_bias
//   h        states by step, [B, H] each
//   mask     [T·B]       0 where a sequence has ended
//   seed     one whole number
//
// A tile is in lib/recurrent_forward_16.wgsl, _8 or _1: the recurrent product of every gate, then for each
// row and four units finish(). H is padded to a multiple of four, with zeros.

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> h: array<vec4f>;
@group(0) @binding(4) var<storage, read> mask: array<i32>;
@group(0) @binding(5) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// The products of four units.
alias Sums = vec4f;

// Gates of the weight, and which of them are multiplied here.
const GATES = 1u;
const FIRST_GATE = 0u;
const COUNT = 1u;

fn to_sums(a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> Sums {
  return a;
}

// For batch row `row` and units 4·quad to 4·quad + 3, from the product h·W_hhᵀ.
fn finish(direction: u32, row: u32, quad: u32, sums: Sums) {
  let quads = params.hidden_quads;
  let first = (gates_row(direction) + row) * quads + quad;
  var a = gates[first] + sums;
  if (params.has_bias != 0u) {
    a += vectors[direction * params.vector_stride + quad];
  }
  let h_new = candidate(a);
  store_state(direction, row, quad, quads, h_new);
  if (params.save != 0u) {
    gates[first] = h_new;
  }
}
