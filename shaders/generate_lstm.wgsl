// One step of an LSTM layer: i,f,o = σ(x·W_ihᵀ + h·W_hhᵀ + b), g = tanh(…), c = f⊙c + i⊙g, h = o⊙tanh(c).
// Bindings and parameters are in lib/generate.wgsl.
//
// Workgroups: ⌈B·(H/4) / 32⌉.

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let place = place_of(id.x);
  let quads = params.hidden_quads;
  let length = params.input_quads + quads;
  var i_sum = vec4f();
  var f_sum = vec4f();
  var g_sum = vec4f();
  var o_sum = vec4f();
  for (var k = 0u; k < length; k++) {
    let s = source(place, k);
    var at = place.quad + (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * (4u * quads);
    i_sum += weight_block(at) * s;
    at += quads;
    f_sum += weight_block(at) * s;
    at += quads;
    g_sum += weight_block(at) * s;
    at += quads;
    o_sum += weight_block(at) * s;
  }
  if (place.inside) {
    let at = place.row * quads + place.quad;
    let i = safe_sigmoid(i_sum + bias(place, 0u, 4u));
    let f = safe_sigmoid(f_sum + bias(place, 1u, 4u));
    let g = safe_tanh(g_sum + bias(place, 2u, 4u));
    let o = safe_sigmoid(o_sum + bias(place, 3u, 4u));
    let c = f * states[params.c_at + at] + i * g;
    states[params.c_at + at] = c;
    states[params.h_write + at] = o * safe_tanh(c);
  }
}
