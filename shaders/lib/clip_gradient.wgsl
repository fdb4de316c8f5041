// A gradient as clipping leaves it: scaled for the global norm, then each element held within ± bound.
fn clip_gradient(gradient: vec4f, scale: f32, bound: f32) -> vec4f {
  return clamp(gradient * scale, vec4f(-bound), vec4f(bound));
}
