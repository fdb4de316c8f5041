// One time step of a GRU layer, both directions at once: recurrent product, gates and new state in one dispatch.
// A GRU's step with the reset after the product: r,z = σ(a + product + b), m = h·W_hnᵀ + b_hn,
// n = tanh(a_n + r⊙m), h = (1−z)⊙n + z⊙h, where σ and tanh are the activations chosen.
//
//   gates    [D, T·B, 4, H] in: slots 1 to 3 hold a = x·W_ihᵀ + b_ih, gates r,z,n; out when save: m, r, z, n
//   weight   [D, K, 3, H]   W_hhᵀ: row k, gate, unit
//   vectors  [D, 3, H]      b_hh, read when has_bias
//   h        states by step, [B, H] each
//   mask     [T·B]          0 where a sequence has ended
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

// The products of four units, a column for each gate.
alias Sums = mat3x4f;

// Gates of the weight, and which of them are multiplied here.
const GATES = 3u;
const FIRST_GATE = 0u;
const COUNT = 3u;

fn to_sums(a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> Sums {
  return mat3x4f(a, b, c);
}

// For batch row `row` and units 4·quad to 4·quad + 3, from the products h·W_hhᵀ.
fn finish(direction: u32, row: u32, quad: u32, sums: Sums) {
  let quads = params.hidden_quads;
  let at = row * quads + quad;
  let first = (gates_row(direction) + row) * 4u * quads + quad;
  let vector = direction * params.vector_stride + quad;
  var a_r = gates[first + quads] + sums[0];
  var a_z = gates[first + 2u * quads] + sums[1];
  var m = sums[2];
  if (params.has_bias != 0u) {
    a_r += vectors[vector];
    a_z += vectors[vector + quads];
    m += vectors[vector + 2u * quads];
  }
  let r = gate(a_r);
  let z = gate(a_z);
  let n = candidate(gates[first + 3u * quads] + r * m);
  var h_new = (1.0 - z) * n;
  if (has_previous()) {
    h_new += z * h[h_read(direction) + at];
  }
  store_state(direction, row, quad, quads, h_new);
  if (params.save != 0u) {
    gates[first] = m;
    gates[first + quads] = r;
    gates[first + 2u * quads] = z;
    gates[first + 3u * quads] = n;
  }
}
