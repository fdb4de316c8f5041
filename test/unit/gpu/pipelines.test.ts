/** What is said of a shader that the compiler refuses. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ShaderError } from '../../../src/graph/errors.js';
import { defineKernel } from '../../../src/gpu/kernels/kernel.js';
import { PipelineCache } from '../../../src/gpu/pipelines.js';

type Message = Partial<GPUCompilationMessage>;

const kernel = defineKernel({
  name: 'double_vec4',
  file: 'double.wgsl',
  code: '// Doubles.\n@compute fn main() {\n  let y = twice(x);\n}',
  libraries: [
    { file: 'lib/twice.wgsl', code: `fn twice(x: f32) -> f32 {\n  return 2 * x;\n}` },
    { file: 'lib/built.wgsl', code: `${'fn a(){}'.repeat(20)}fn wrong(){oops}${'fn b(){}'.repeat(20)}` },
  ],
  bindings: { x: 'read' },
  parameters: {},
});

/** A device whose compiler says this of every shader. */
function refusing(messages: readonly Message[], reason = 'it is refused'): GPUDevice {
  const device = {
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createShaderModule: () => ({ getCompilationInfo: () => Promise.resolve({ messages }) }),
    createComputePipelineAsync: () => Promise.reject(new Error(reason)),
    pushErrorScope: () => undefined,
    popErrorScope: () => Promise.resolve(null),
  };
  return device as unknown as GPUDevice;
}

async function problemOf(messages: readonly Message[]): Promise<string> {
  const error: unknown = await new PipelineCache(refusing(messages)).get(kernel).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ShaderError);
  return (error as ShaderError).message;
}

describe('a shader that is refused', () => {
  beforeAll(() => void vi.stubGlobal('GPUShaderStage', { COMPUTE: 4 }));
  afterAll(() => void vi.unstubAllGlobals());

  test('is named with file, line, and what stands there', async () => {
    const message = await problemOf([
      { type: 'warning', lineNum: 1, linePos: 1, message: 'no matter' },
      { type: 'error', lineNum: 3, linePos: 17, message: "unresolved value 'x'" },
    ]);
    expect(message).toBe(
      `kernel "double_vec4": did not compile: double.wgsl:3:17 unresolved value 'x' in "let y = twice(x);"; ` +
        'please report it with the name of the browser and the adapter',
    );
  });

  test('has lines of its libraries counted from their own beginning', async () => {
    const error = (lineNum: number): Message => ({ type: 'error', lineNum, linePos: 3, message: 'bad' });
    const message = await problemOf([error(4), error(5), error(6), error(8)]);
    expect(message).toContain('double.wgsl:4:3 bad in "}"; lib/twice.wgsl:1:3 bad');
    expect(message).toContain('lib/twice.wgsl:2:3 bad in "return 2 * x;"');
    // No more than three.
    expect(message).not.toContain('built.wgsl');
  });

  test('is shown in part where a line is long', async () => {
    const message = await problemOf([{ type: 'error', lineNum: 8, linePos: 172, message: 'bad' }]);
    expect(message).toContain('lib/built.wgsl:1:172 bad in "');
    expect(message).toContain('fn wrong(){oops}');
    expect(message.length).toBeLessThan(300);
  });

  test.each([0, 99])('does without a line where the compiler says %d', async (lineNum) => {
    const message = await problemOf([{ type: 'error', lineNum, linePos: 0, message: 'bad' }]);
    expect(message).toContain(' bad; please');
  });

  test('says what the driver says where the compiler is silent', async () => {
    expect(await problemOf([])).toContain('did not compile: Error: it is refused');
  });
});
