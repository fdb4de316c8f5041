// Operands of matmul.wgsl whose rows begin on multiples of four elements: one load fetches four.

alias Element = vec4f;

fn load_a(index: u32) -> vec4f {
  return a[index >> 2u];
}

fn load_b(index: u32) -> vec4f {
  return b[index >> 2u];
}

fn element_of_a(index: u32) -> f32 {
  return a[index >> 2u][index & 3u];
}

fn element_of_b(index: u32) -> f32 {
  return b[index >> 2u][index & 3u];
}
