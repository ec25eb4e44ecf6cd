// Builds the launcher (src/runtime/launcher/*.c) with the system's compiler into dist/launcher/launch.
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

const sources = 'src/runtime/launcher';
const files = existsSync(sources)
  ? readdirSync(sources)
      .filter((name) => name.endsWith('.c'))
      .sort()
      .map((name) => `${sources}/${name}`)
  : [];
if (files.length > 0) {
  mkdirSync('dist/launcher', { recursive: true });
  const flags =
    '-std=gnu11 -Os -Wall -Wextra -Werror -static-pie -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2';
  execFileSync(
    process.env.CC ?? 'cc',
    [...flags.split(' '), '-o', 'dist/launcher/launch', ...files],
    {
      stdio: 'inherit',
    },
  );
}
