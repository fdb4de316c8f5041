// The second half of one time step of a GRU layer with the reset before the product, both directions at once:
// n = tanh(a_n + (r⊙h)·W_hnᵀ + b_hn), h = (1−z)⊙n + z⊙h, with the activation chosen.
//
//   gates    [D, T·B, 3, H] in: r, z and a_n = x·W_inᵀ + b_in; out: n
//   weight   [D, K, 3, H]   W_hhᵀ: row k, gate, unit
//   vectors  [D, 3, H]      b_hh, read when has_bias
//   h        states by step, [B, H] each; at product_read, r⊙h
//   mask     [T·B]          0 where a sequence has ended
//   seed     one whole number
//
// A tile is in lib/recurrent_forward_16.wgsl, _8 or _1: the recurrent product, then for each row and four units
// finish(). H is padded to a multiple of four, with zeros.

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
const GATES = 3u;
const FIRST_GATE = 2u;
const COUNT = 1u;

fn to_sums(a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> Sums {
  return a;
}

fn finish(direction: u32, row: u32, quad: u32, sums: Sums) {
  let quads = params.hidden_quads;
  let first = (gates_row(direction) + row) * 3u * quads + quad;
  var a_n = gates[first + 2u * quads] + sums;
  if (params.has_bias != 0u) {
    a_n += vectors[direction * params.vector_stride + 2u * quads + quad];
  }
  let z = gates[first + quads];
  let n = candidate(a_n);
  gates[first + 2u * quads] = n;
  var h_new = (1.0 - z) * n;
  if (has_previous()) {
    h_new += z * h[h_read(direction) + row * quads + quad];
  }
  store_state(direction, row, quad, quads, h_new);
}
