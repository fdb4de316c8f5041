// One step of a simple RNN layer: h = tanh(x·W_ihᵀ + h·W_hhᵀ + b), or max(…, 0) with relu.
// Bindings and parameters are in lib/generate.wgsl.
//
// Workgroups: ⌈B·(H/4)·lanes / 64⌉.

var<workgroup> sums: array<vec4f, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let place = place_of(workgroup.x, local);
  let quads = params.hidden_quads;
  let length = params.input_quads + quads;
  var sum = vec4f();
  for (var k = place.lane; k < length; k += params.lanes) {
    let at = place.quad + (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * quads;
    sum += mat4x4f(weight[at.x], weight[at.y], weight[at.z], weight[at.w]) * source(place, k);
  }
  if (params.lanes > 1u) {
    sums[local] = sum;
    workgroupBarrier();
    for (var other = local + 64u / params.lanes; other < 64u; other += 64u / params.lanes) {
      sum += sums[other];
    }
  }
  if (place.lane == 0u && place.inside) {
    let a = sum + bias(place, 0u, 1u);
    states[params.h_write + place.row * quads + place.quad] = select(safe_tanh(a), max(a, vec4f(0.0)), params.relu != 0u);
  }
}
