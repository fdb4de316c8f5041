// The first half of one time step of a GRU layer with the reset before the product, both directions at once:
// r,z = σ(a + h·W_hhᵀ + b), and r⊙h, which the second half multiplies.
//
//   gates    [D, T·B, 3, H] in: a = x·W_ihᵀ + b_ih, gates r,z,n; out: r, z
//   weight   [D, K, 3, H]   W_hhᵀ: row k, gate, unit
//   vectors  [D, 3, H]      b_hh, read when has_bias
//   h        states by step, [B, H] each; at h_write, assigns r⊙h
//   mask, seed  bound for the second half's sake
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

fn finish(direction: u32, row: u32, quad: u32, r_sum: vec4f, z_sum: vec4f) {
  let quads = params.hidden_quads;
  let at = row * quads + quad;
  let first = (params.gates_row[direction] + row) * 3u * quads + quad;
  let vector = direction * params.vector_stride + quad;
  var a_r = gates[first] + r_sum;
  var a_z = gates[first + quads] + z_sum;
  if (params.has_bias != 0u) {
    a_r += vectors[vector];
    a_z += vectors[vector + quads];
  }
  let r = gate(a_r);
  gates[first] = r;
  gates[first + quads] = gate(a_z);
  var reset = vec4f();
  if (params.has_previous != 0u) {
    reset = r * h[params.product_read[direction] + at];
  }
  h[params.h_write[direction] + at] = reset;
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
  var r_upper = mat4x4f();  // column = batch row, component = unit
  var r_lower = mat4x4f();
  var z_upper = mat4x4f();
  var z_lower = mat4x4f();
  if (params.has_previous != 0u) {
    // Rows past the batch repeat the last one.
    let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
    let last = vec4u(params.batch - 1u);
    let first = params.product_read[direction] + min(rows, last) * quads;
    let second = params.product_read[direction] + min(rows + 4u, last) * quads;
    let weights = direction * params.weight_stride + quad;
    for (var k = 0u; k < quads; k++) {
      let h_upper = mat4x4f(h[first.x + k], h[first.y + k], h[first.z + k], h[first.w + k]);
      let h_lower = mat4x4f(h[second.x + k], h[second.y + k], h[second.z + k], h[second.w + k]);
      var at = weights + (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * (3u * quads);
      let w_r = mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
      r_upper += w_r * h_upper;
      r_lower += w_r * h_lower;
      at += quads;
      let w_z = mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
      z_upper += w_z * h_upper;
      z_lower += w_z * h_lower;
    }
  }
  var r_sums = array<mat4x4f, 2>(r_upper, r_lower);
  var z_sums = array<mat4x4f, 2>(z_upper, z_lower);
  for (var row = 0u; row < min(8u, params.batch - row0); row++) {
    finish(direction, row0 + row, quad, r_sums[row / 4u][row % 4u], z_sums[row / 4u][row % 4u]);
  }
}
