// logits[b,v] = h[b]·weight[v] + bias[v]
//
//   h       rows of K from h_at on, in vec4
//   weight  [V, K], K padded to a multiple of four with zeros
//   bias    [V], read when has_bias
//   logits  [B, V]; assigned
//
// One invocation computes one logit. Workgroups: ⌈B·V/64⌉, folded into two dimensions.

struct Params {
  batch: u32,
  classes: u32,
  quads: u32,     // K/4
  h_at: u32,
  has_bias: u32,
}

@group(0) @binding(0) var<storage, read> h: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  if (i < params.batch * params.classes) {
    let token = i % params.classes;
    let row = params.h_at + i / params.classes * params.quads;
    var sum = vec4f();
    for (var k = 0u; k < params.quads; k++) {
      sum += weight[token * params.quads + k] * h[row + k];
    }
    var logit = sum.x + sum.y + sum.z + sum.w;
    if (params.has_bias != 0u) {
      logit += bias[token];
    }
    logits[i] = logit;
  }
}
