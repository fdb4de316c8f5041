// One time step of an LSTM layer, both directions at once: recurrent product, gates and new state in one dispatch.
// The equations and the bindings are in lib/recurrent_lstm_forward.wgsl.
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
  var i_sum = vec4f();
  var f_sum = vec4f();
  var g_sum = vec4f();
  var o_sum = vec4f();
  if (params.has_previous != 0u) {
    let first = params.product_read[direction] + row * params.product_quads;
    let weights = direction * params.weight_stride + quad;
    for (var k = 0u; k < params.product_quads; k++) {
      let h_k = h[first + k];
      var at = weights + (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * (4u * quads);
      i_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * h_k;
      at += quads;
      f_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * h_k;
      at += quads;
      g_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * h_k;
      at += quads;
      o_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * h_k;
    }
  }
  finish(direction, row, quad, i_sum, f_sum, g_sum, o_sum);
}
