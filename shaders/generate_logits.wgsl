// logits[b,v] = h[b]·weight[v] + bias[v]
//
//   h       rows of K from h_at on, in vec4
//   weight  [K, V], K and V padded to multiples of four with zeros; as lib/weights_float32.wgsl or _float16.wgsl says
//   bias    [V], read when has_bias
//   logits  [B, V]; assigned
//
// One invocation computes four logits of one row. Workgroups: ⌈B·⌈V/4⌉/32⌉, folded into two dimensions.

struct Params {
  batch: u32,
  classes: u32,
  quads: u32,     // K/4
  h_at: u32,
  has_bias: u32,
}

@group(0) @binding(0) var<storage, read> h: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<Weights>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let class_quads = (params.classes + 3u) / 4u;
  let i = linear_index(workgroup, workgroups, local, 32u);
  if (i >= params.batch * class_quads) {
    return;
  }
  let quad = i % class_quads;
  let row = i / class_quads;
  let sum = logits_product(params.h_at + row * params.quads, quad, class_quads);
  for (var token = quad * 4u; token < min(quad * 4u + 4u, params.classes); token++) {
    var logit = sum[token & 3u];
    if (params.has_bias != 0u) {
      logit += bias[token];
    }
    logits[row * params.classes + token] = logit;
  }
}
