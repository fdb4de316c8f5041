/** A program that a test kills: writes the same files again and again, each time with other contents. */
import { writeFiles } from '../../../demo/headless/files.js';

const SIZE = 2 ** 22;

for (let round = 0; ; round++) {
  const contents = Buffer.alloc(SIZE, 97 + (round % 26));
  await writeFiles(process.argv[2]!, { 'model.safetensors': contents, 'history.json': contents });
  process.stdout.write('.');
}
