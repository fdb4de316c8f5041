// losses[i] = loss(prediction[i], target_value[i], pos_weight[i mod its size]), the loss chosen by kind
//
//   prediction, target_value  [count]
//   pos_weight                [pos_weights]; ones where that is 0
//   losses                    [count]; assigned
//
// One invocation computes one element. Workgroups: ⌈count/64⌉, folded into two dimensions.

struct Params {
  count: u32,
  kind: u32,
  pos_weights: u32,
  delta: f32,
}

@group(0) @binding(0) var<storage, read> prediction: array<f32>;
@group(0) @binding(1) var<storage, read> target_value: array<f32>;
@group(0) @binding(2) var<storage, read> pos_weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn loss(x: f32, z: f32, positive: f32) -> f32 {
  let e = abs(x - z);
  switch (params.kind) {
    case 0u: { return e * e; }
    case 1u: { return e; }
    case 2u: { return select(params.delta * (e - 0.5 * params.delta), 0.5 * e * e, e <= params.delta); }
    default: { return positive * z * safe_softplus(vec4f(-x)).x + (1.0 - z) * safe_softplus(vec4f(x)).x; }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  if (i < params.count) {
    var positive = 1.0;
    if (params.pos_weights > 0u) {
      positive = pos_weight[i % params.pos_weights];
    }
    losses[i] = loss(prediction[i], target_value[i], positive);
  }
}
