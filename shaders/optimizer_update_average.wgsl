// An exponential moving average of what is given as gradients: p ← p + lr·(g − p), the first update p ← g.
//
//   parameters  [4·quads] flat, the averages; updated in place
//   gradients   [4·quads] flat, the numbers to average
//   slots       not touched
//   control     see optimizer_update_control.wgsl
//
// One invocation updates four averages. Workgroups: ⌈quads/64⌉, folded into two dimensions.

struct Params {
  quads: u32,
}

@group(0) @binding(0) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(1) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> slots: array<vec4f>;
@group(0) @binding(3) var<storage, read> control: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  if (i >= params.quads || control[0] == 0.0) {
    return;
  }
  let learning_rate = control[2];
  let p = parameters[i];
  let g = clip_gradient(gradients[i], control[1], control[7]);
  parameters[i] = select(p + learning_rate * (g - p), g, control[5] != 0.0);
}
