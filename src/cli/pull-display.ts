import { digestHex } from '../oci/digest.js';
import type { PullProgress } from '../images/execute-pull.js';
import type { CliContext, CommonOptions } from './context.js';
import { ProgressDisplay } from './output/progress.js';

/** Shows the events of a pull on standard error; silent under `--json`. */
export function pullDisplay(
  context: CliContext,
  options: CommonOptions,
): Disposable & { readonly onProgress: (event: PullProgress) => void } {
  const display = new ProgressDisplay(context.host.stderr);
  return {
    onProgress: (event) => {
      if (options.json === true || event.phase === 'present') return;
      const id = digestHex(event.layer.digest).slice(0, 12);
      display.update({
        id,
        label: id,
        doneBytes: event.bytes,
        totalBytes: event.total,
        finished: event.phase === 'done',
      });
    },
    [Symbol.dispose]: () => {
      display[Symbol.dispose]();
    },
  };
}
