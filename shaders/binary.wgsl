// y = f(a, b) element by element, f chosen by kind; a and b broadcast to y's shape by strides of zero
//
//   a, b  read at Σ index·stride
//   y     row-major, of shape size; assigned
//
// One invocation computes one element. Workgroups: ⌈count/64⌉, folded into two dimensions.

struct Params {
  size: vec4u,
  a_stride: vec4u,
  b_stride: vec4u,
  kind: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn apply(kind: u32, u: f32, v: f32) -> f32 {
  switch (kind) {
    case 0u: { return u + v; }
    case 1u: { return u - v; }
    case 2u: { return u * v; }
    case 3u: { return u / v; }
    case 4u: { return max(u, v); }
    case 5u: { return min(u, v); }
    // Weights of u in the gradients of max and min: ties share.
    case 6u: { return select(select(0.0, 0.5, u == v), 1.0, u > v); }
    case 7u: { return select(select(0.0, 0.5, u == v), 1.0, u < v); }
    default: { return u; }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  let size = params.size;
  if (i >= size.x * size.y * size.z * size.w) {
    return;
  }
  let index = vec4u(i / (size.w * size.z * size.y), i / (size.w * size.z) % size.y, i / size.w % size.z, i % size.w);
  y[i] = apply(params.kind, a[dot(index, params.a_stride)], b[dot(index, params.b_stride)]);
}
