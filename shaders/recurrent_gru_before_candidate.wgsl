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
// One invocation computes eight batch rows of four units, each gate in two 4×4 accumulators.
// Workgroups: (⌈⌈B/8⌉·(H/4) / 32⌉, 1, D). H is padded to a multiple of four, with zeros.

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> h: array<vec4f>;
@group(0) @binding(4) var<storage, read> mask: array<i32>;
@group(0) @binding(5) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn finish(direction: u32, row: u32, quad: u32, n_sum: vec4f) {
  let quads = params.hidden_quads;
  let first = (params.gates_row[direction] + row) * 3u * quads + quad;
  var a_n = gates[first + 2u * quads] + n_sum;
  if (params.has_bias != 0u) {
    a_n += vectors[direction * params.vector_stride + 2u * quads + quad];
  }
  let z = gates[first + quads];
  let n = candidate(a_n);
  gates[first + 2u * quads] = n;
  var h_new = (1.0 - z) * n;
  if (params.has_previous != 0u) {
    h_new += z * h[params.h_read[direction] + row * quads + quad];
  }
  store_state(direction, row, quad, quads, h_new);
}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let direction = id.z;
  let quads = params.hidden_quads;
  let quad = id.x % quads;
  let row0 = id.x / quads * 8u;
  if (row0 >= params.batch) {
    return;
  }
  var n_upper = mat4x4f();  // column = batch row, component = unit
  var n_lower = mat4x4f();
  if (params.has_previous != 0u) {
    // Rows past the batch repeat the last one.
    let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
    let last = vec4u(params.batch - 1u);
    let first = params.product_read[direction] + min(rows, last) * quads;
    let second = params.product_read[direction] + min(rows + 4u, last) * quads;
    let weights = direction * params.weight_stride + 2u * quads + quad;
    for (var k = 0u; k < quads; k++) {
      let h_upper = mat4x4f(h[first.x + k], h[first.y + k], h[first.z + k], h[first.w + k]);
      let h_lower = mat4x4f(h[second.x + k], h[second.y + k], h[second.z + k], h[second.w + k]);
      let at = weights + (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * (3u * quads);
      let w_n = mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
      n_upper += w_n * h_upper;
      n_lower += w_n * h_lower;
    }
  }
  var n_sums = array<mat4x4f, 2>(n_upper, n_lower);
  for (var row = 0u; row < min(8u, params.batch - row0); row++) {
    finish(direction, row0 + row, quad, n_sums[row / 4u][row % 4u]);
  }
}
