// dx[i] = dy[i]·f'(x[i]), f chosen by kind; y = f(x) spares computing it again
//
//   x, y, dy  [count]
//   dx        [count]; assigned
//
// One invocation computes one element. Workgroups: ⌈count/64⌉, folded into two dimensions.

struct Params {
  count: u32,
  kind: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn slope(kind: u32, v: f32, f: f32) -> f32 {
  switch (kind) {
    case 0u: { return -1.0; }
    case 1u: { return f; }
    case 2u: { return 1.0 / v; }
    case 3u: { return 0.5 / f; }
    case 4u: { return 2.0 * v; }
    case 5u: { return sign(v); }
    case 6u: { return -f * f; }
    case 7u: { return 1.0 - f * f; }
    case 8u: { return f * (1.0 - f); }
    case 9u: { return select(0.0, 1.0, v > 0.0); }
    case 10u: { return safe_sigmoid(vec4f(v)).x; }
    default: { return 1.0; }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  if (i < params.count) {
    dx[i] = dy[i] * slope(params.kind, x[i], y[i]);
  }
}
