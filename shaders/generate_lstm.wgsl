// One step of an LSTM layer: i,f,o = σ(x·W_ihᵀ + h·W_hhᵀ + b), g = tanh(…), c = f⊙c + i⊙g, h = o⊙tanh(c).
// Bindings and parameters are in lib/generate.wgsl.
//
// Workgroups: ⌈B·(H/4)·lanes / 64⌉.

var<workgroup> sums: array<array<vec4f, 64>, 4>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let place = place_of(workgroup.x, local);
  let quads = params.hidden_quads;
  let length = params.input_quads + quads;
  var i_sum = vec4f();
  var f_sum = vec4f();
  var g_sum = vec4f();
  var o_sum = vec4f();
  for (var k = place.lane; k < length; k += params.lanes) {
    let s = source(place, k);
    var at = place.quad + (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * (4u * quads);
    i_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * s;
    at += quads;
    f_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * s;
    at += quads;
    g_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * s;
    at += quads;
    o_sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * s;
  }
  if (params.lanes > 1u) {
    sums[0][local] = i_sum;
    sums[1][local] = f_sum;
    sums[2][local] = g_sum;
    sums[3][local] = o_sum;
    workgroupBarrier();
    for (var other = local + 64u / params.lanes; other < 64u; other += 64u / params.lanes) {
      i_sum += sums[0][other];
      f_sum += sums[1][other];
      g_sum += sums[2][other];
      o_sum += sums[3][other];
    }
  }
  if (place.lane == 0u && place.inside) {
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
