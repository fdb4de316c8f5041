// y[i] = x[i]·scale where the random number of element i is at least threshold, else 0
//
// Random numbers: Threefry-2x32 with 20 rounds (Salmon et al. 2011), key (seed, stream), counter (i, purpose); the
// first word's upper 24 bits. Whole numbers throughout, so the same mask on every device.
//
//   x     elements from first on
//   seed  one whole number, written each run
//   y     likewise; assigned
//
// One invocation computes one of count elements. Workgroups: ⌈count/64⌉, folded into two dimensions.

struct Params {
  first: u32,
  count: u32,
  stream: u32,
  purpose: u32,    // tells masks of one stream apart
  threshold: u32,  // ⌈p·2²⁴⌉
  scale: f32,      // 1/(1−p)
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> seed: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let element = linear_index(workgroup, workgroups, local, 64u);
  if (element < params.count) {
    let i = params.first + element;
    let random = threefry2x32(vec2u(seed[0], params.stream), vec2u(i, params.purpose)).x >> 8u;
    y[i] = select(0.0, x[i] * params.scale, random >= params.threshold);
  }
}
