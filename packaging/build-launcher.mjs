// Builds the launcher (src/runtime/launcher/*.c) with the system's compiler into dist/launcher/launch. Warnings are errors.
import { mkdirSync, readdirSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

const sources = 'src/runtime/launcher';
const files = readdirSync(sources)
  .filter((name) => name.endsWith('.c'))
  .sort()
  .map((name) => `${sources}/${name}`);

const flags = [
  '-std=gnu11',
  '-D_GNU_SOURCE',
  '-Os',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-static-pie',
  '-fPIE',
  '-fstack-protector-strong',
  '-D_FORTIFY_SOURCE=2',
  // Every page that is not there need not be mapped: it stays resident beside every container.
  '-ffunction-sections',
  '-fdata-sections',
  '-Wl,--gc-sections,-z,noseparate-code,-z,relro,-z,now',
  '-s',
];

mkdirSync('dist/launcher', { recursive: true });
execFileSync(process.env.CC ?? 'cc', [...flags, '-o', 'dist/launcher/launch', ...files], {
  stdio: 'inherit',
});
