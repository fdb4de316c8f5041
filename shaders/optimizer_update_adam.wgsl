// Adam and AdamW as torch.optim: g ← clip(g) (+ λ·p), or p ← p·(1 − lr·λ) when decoupled;
// m ← β1·m + (1−β1)·g, v ← β2·v + (1−β2)·g²; p ← p − lr·(m/(1−β1ᵗ))/(sqrt(v)/sqrt(1−β2ᵗ) + ε).
//
//   parameters  [4·quads] flat; updated in place
//   gradients   [4·quads] flat
//   slots       [2, 4·quads] m, v; updated in place
//   control     see optimizer_update_control.wgsl
//
// One invocation updates four parameters. Workgroups: ⌈quads/64⌉, folded into two dimensions.

struct Params {
  quads: u32,
  beta1: f32,
  beta2: f32,
  one_minus_beta1: f32,
  one_minus_beta2: f32,
  epsilon: f32,
  weight_decay: f32,
  decoupled: u32,
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
  var p = parameters[i];
  var g = clip_gradient(gradients[i], control[1], control[7]);
  if (params.decoupled != 0u) {
    p *= 1.0 - learning_rate * params.weight_decay;
  } else {
    g += params.weight_decay * p;
  }
  let m = params.beta1 * slots[i] + params.one_minus_beta1 * g;
  let v = params.beta2 * slots[params.quads + i] + params.one_minus_beta2 * g * g;
  slots[i] = m;
  slots[params.quads + i] = v;
  parameters[i] = p - learning_rate / control[3] * m / (sqrt(v) / sqrt(control[4]) + params.epsilon);
}
