// Lion (Chen et al., arXiv 2302.06675): g ← clip(g); p ← p·(1 − lr·λ) − lr·sign(β1·m + (1−β1)·g);
// m ← β2·m + (1−β2)·g.
//
//   parameters  [4·quads] flat; updated in place
//   gradients   [4·quads] flat
//   slots       [4·quads] m; updated in place
//   control     see optimizer_update_control.wgsl
//
// One invocation updates four parameters. Workgroups: ⌈quads/64⌉, folded into two dimensions.

struct Params {
  quads: u32,
  beta1: f32,
  one_minus_beta1: f32,
  beta2: f32,
  one_minus_beta2: f32,
  weight_decay: f32,
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
  let m = slots[i];
  let direction = sign(params.beta1 * m + params.one_minus_beta1 * g);
  slots[i] = params.beta2 * m + params.one_minus_beta2 * g;
  parameters[i] = p * (1.0 - learning_rate * params.weight_decay) - learning_rate * direction;
}
