// One step of a simple RNN layer: h = tanh(x·W_ihᵀ + h·W_hhᵀ + b), or max(…, 0) with relu.
// Bindings and parameters are in lib/generate.wgsl.
//
// Workgroups: ⌈B·(H/4) / 32⌉.

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let place = place_of(id.x);
  let quads = params.hidden_quads;
  let length = params.input_quads + quads;
  var sum = vec4f();
  for (var k = 0u; k < length; k++) {
    let at = place.quad + (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * quads;
    sum += weight_block(at) * source(place, k);
  }
  if (place.inside) {
    let a = sum + bias(place, 0u, 1u);
    states[params.h_write + place.row * quads + place.quad] = select(safe_tanh(a), max(a, vec4f(0.0)), params.relu != 0u);
  }
}
