// y[i] = f(x[i]), f chosen by kind
//
//   x  [count]
//   y  [count]; assigned
//
// One invocation computes one element. Workgroups: ⌈count/64⌉, folded into two dimensions.

struct Params {
  count: u32,
  kind: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn apply(kind: u32, v: f32) -> f32 {
  switch (kind) {
    case 0u: { return -v; }
    case 1u: { return exp(v); }
    case 2u: { return log(v); }
    case 3u: { return sqrt(v); }
    case 4u: { return v * v; }
    case 5u: { return abs(v); }
    case 6u: { return 1.0 / v; }
    case 7u: { return safe_tanh(vec4f(v)).x; }
    case 8u: { return safe_sigmoid(vec4f(v)).x; }
    case 9u: { return max(v, 0.0); }
    case 10u: { return safe_softplus(vec4f(v)).x; }
    default: { return v; }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  if (i < params.count) {
    y[i] = apply(params.kind, x[i]);
  }
}
