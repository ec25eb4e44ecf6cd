import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import { runCommand, runOk } from '../../support/run-command.js';
import { TempDir } from '../../support/temp-dir.js';

const adapter = fileURLToPath(new URL('../../../ostree-adapter/index.js', import.meta.url));
const program = `
  const ostree = await import(process.argv[1]);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try { ostree.openRepo({ path: '/nonexistent' }); } catch (error) {
      console.log(error.name, error.problem ?? error.domain, error.message);
    }
  }
  console.log(ostree.encodeVariant({ type: 's', value: 'still here' }).length);
`;

async function openWith(library: string): Promise<readonly string[]> {
  const { stdout, stderr, status } = await runCommand(
    [process.execPath, '--input-type=module', '-e', program, adapter],
    { env: { ...process.env, OSTREE_ADAPTER_LIBRARY: library } },
  );
  assert.equal(status, 0, stderr);
  return stdout.trimEnd().split('\n');
}

/** The same failure twice, and everything else goes on. */
function assertRefused(lines: readonly string[], message: RegExp): void {
  assert.match(lines[0] ?? '', message);
  assert.deepEqual(lines.slice(1), [lines[0], '11']);
}

test('a library that is not there is one clear error, each time', async () => {
  assertRefused(
    await openWith('/nonexistent/libostree-1.so.1'),
    /^OstreeLibraryError missing \/nonexistent\/libostree-1\.so\.1 is not installed$/,
  );
});

test('a file that is no library is told as broken', async () => {
  using temp = new TempDir();
  const path = join(temp.path, 'libostree-1.so.1');
  await writeFile(path, 'not a library\n');
  assertRefused(await openWith(path), /^OstreeLibraryError broken .*cannot be loaded/);
});

test('a library without the functions is told as broken', async () => {
  assertRefused(
    await openWith('libm.so.6'),
    /^OstreeLibraryError broken the ostree library has no function ostree_check_version$/,
  );
});

test('a library that is too old is told as such', async () => {
  using temp = new TempDir();
  const source = join(temp.path, 'old.c');
  const path = join(temp.path, 'libostree-1.so.1');
  await writeFile(source, 'int ostree_check_version(unsigned y, unsigned r) { return 0; }\n');
  await runOk(['cc', '-shared', '-fPIC', '-o', path, source]);
  assertRefused(
    await openWith(path),
    /^OstreeLibraryError too-old .* is older than libostree 2021\.1$/,
  );
});
