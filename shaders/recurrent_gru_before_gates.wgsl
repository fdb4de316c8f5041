// The first half of one time step of a GRU layer with the reset before the product, both directions at once:
// r,z = σ(a + h·W_hhᵀ + b), and r⊙h, which the second half multiplies.
//
//   gates    [D, T·B, 3, H] in: a = x·W_ihᵀ + b_ih, gates r,z,n; out: r, z
//   weight   [D, K, 3, H]   W_hhᵀ: row k, gate, unit
//   vectors  [D, 3, H]      b_hh, read when has_bias
//   h        states by step, [B, H] each; at h_write, assigns r⊙h
//   mask, seed  bound for the second half's sake
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

// The products of four units, a column for each gate.
alias Sums = mat2x4f;

// Gates of the weight, and which of them are multiplied here.
const GATES = 3u;
const FIRST_GATE = 0u;
const COUNT = 2u;

fn to_sums(a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> Sums {
  return mat2x4f(a, b);
}

fn finish(direction: u32, row: u32, quad: u32, sums: Sums) {
  let quads = params.hidden_quads;
  let at = row * quads + quad;
  let first = (gates_row(direction) + row) * 3u * quads + quad;
  let vector = direction * params.vector_stride + quad;
  var a_r = gates[first] + sums[0];
  var a_z = gates[first + quads] + sums[1];
  if (params.has_bias != 0u) {
    a_r += vectors[vector];
    a_z += vectors[vector + quads];
  }
  let r = gate(a_r);
  gates[first] = r;
  gates[first + quads] = gate(a_z);
  var reset = vec4f();
  if (has_previous()) {
    reset = r * h[product_read(direction) + at];
  }
  h[h_write(direction) + at] = reset;
}
