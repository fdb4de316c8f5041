// One time step of a GRU layer, both directions at once: recurrent product, gates and new state in one dispatch.
// The equations and the bindings are in lib/recurrent_gru_forward.wgsl.
//
// One invocation computes one batch row of four units: for small batches.
// Workgroups: (⌈B·(H/4) / 32⌉, 1, D). H is padded to a multiple of four, with zeros.

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let direction = id.z;
  let quads = params.hidden_quads;
  let quad = id.x % quads;
  let row = id.x / quads;
  if (row >= params.batch) {
    return;
  }
  var r_sum = vec4f();
  var z_sum = vec4f();
  var n_sum = vec4f();
  if (params.has_previous != 0u) {
    let first = params.product_read[direction] + row * params.product_quads;
    let weights = direction * params.weight_stride + quad;
    for (var k = 0u; k < params.product_quads; k++) {
      let h_k = h[first + k];
      var at = weights + (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * (3u * quads);
      r_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * h_k;
      at += quads;
      z_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * h_k;
      at += quads;
      n_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * h_k;
    }
  }
  finish(direction, row, quad, r_sum, z_sum, n_sum);
}
