// One time step of a GRU layer, both directions at once: recurrent product, gates and new state in one dispatch.
// The equations and the bindings are in lib/recurrent_gru_forward.wgsl.
//
// One invocation computes eight batch rows of four units, each gate in two 4×4 accumulators.
// Workgroups: (⌈⌈B/8⌉·(H/4) / 32⌉, 1, D). H is padded to a multiple of four, with zeros.

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
  var n_upper = mat4x4f();
  var n_lower = mat4x4f();
  if (params.has_previous != 0u) {
    // Rows past the batch repeat the last one.
    let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
    let last = vec4u(params.batch - 1u);
    let first = params.product_read[direction] + min(rows, last) * params.product_quads;
    let second = params.product_read[direction] + min(rows + 4u, last) * params.product_quads;
    let weights = direction * params.weight_stride + quad;
    for (var k = 0u; k < params.product_quads; k++) {
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
      at += quads;
      let w_n = mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
      n_upper += w_n * h_upper;
      n_lower += w_n * h_lower;
    }
  }
  var r_sums = array<mat4x4f, 2>(r_upper, r_lower);
  var z_sums = array<mat4x4f, 2>(z_upper, z_lower);
  var n_sums = array<mat4x4f, 2>(n_upper, n_lower);
  for (var row = 0u; row < min(8u, params.batch - row0); row++) {
    finish(direction, row0 + row, quad,
           r_sums[row / 4u][row % 4u], z_sums[row / 4u][row % 4u],
           n_sums[row / 4u][row % 4u]);
  }
}
