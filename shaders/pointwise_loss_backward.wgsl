// d[i] = d_losses[i]·(derivative of loss(prediction[i], target_value[i], pos_weight[i mod its size]) by the prediction, or
// by the target when by_target), the loss chosen by kind as in pointwise_loss.wgsl
//
//   prediction, target_value, d_losses  [count]
//   pos_weight                          [pos_weights]; ones where that is 0
//   d                                   [count]; assigned
//
// One invocation computes one element. Workgroups: ⌈count/64⌉, folded into two dimensions.

struct Params {
  count: u32,
  kind: u32,
  pos_weights: u32,
  by_target: u32,
  delta: f32,
}

@group(0) @binding(0) var<storage, read> prediction: array<f32>;
@group(0) @binding(1) var<storage, read> target_value: array<f32>;
@group(0) @binding(2) var<storage, read> pos_weight: array<f32>;
@group(0) @binding(3) var<storage, read> d_losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> d: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn slope(x: f32, z: f32, positive: f32) -> f32 {
  let by_target = params.by_target != 0u;
  // The first three are functions of the difference alone.
  let e = select(x - z, z - x, by_target);
  switch (params.kind) {
    case 0u: { return 2.0 * e; }
    case 1u: { return sign(e); }
    case 2u: { return clamp(e, -params.delta, params.delta); }
    default: {
      if (by_target) {
        return positive * safe_softplus(vec4f(-x)).x - safe_softplus(vec4f(x)).x;
      }
      return (1.0 - z) * safe_sigmoid(vec4f(x)).x - positive * z * safe_sigmoid(vec4f(-x)).x;
    }
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
    d[i] = d_losses[i] * slope(prediction[i], target_value[i], positive);
  }
}
