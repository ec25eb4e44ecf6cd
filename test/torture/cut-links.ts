import { randomBytes } from 'node:crypto';

import { DEFAULT_RETRIES } from '../../src/registry/retry.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { cutAfter, forPath, only } from '../support/misbehaviours.js';
import { Puller } from '../support/pull-from.js';
import { pushImage, sha256 } from '../support/push-image.js';
import { buildTar } from '../support/tar-builder.js';

/** Most that may be sent for each byte of the blob, beside what the first process may get before anything is kept. */
const MOST_SENT = 1.1;

/** How a link is bad. */
export interface CutLinkOptions {
  readonly megabytes: number;
  /** Each answer is cut after so many bytes. */
  readonly cutBytes: number;
  /** Answers that one process gets before its network is lost for good; the next process goes on. */
  readonly answersEach: number;
}

/** What pulling over a bad link came to. */
export interface CutLinkResult {
  readonly size: number;
  readonly sent: number;
  readonly answers: number;
  readonly processes: number;
  readonly violations: readonly string[];
}

/** Pulls a layer over a link that is cut again and again, by as many processes one after the other as it takes. */
export async function pullOverCutLink(options: CutLinkOptions): Promise<CutLinkResult> {
  const { megabytes, cutBytes, answersEach } = options;
  const layer = buildTar([{ path: 'file', content: randomBytes(megabytes * 1_000_000) }]);
  await using registry = await FakeRegistry.start();
  await pushImage({ origin: registry.origin, repository: 'big' }, '1', {
    architecture: 'amd64',
    layers: [{ content: layer }],
  });
  let sent = 0;
  let answers = 0;
  let left = 0;
  registry.interfere(
    only(forPath(sha256(layer)), (request, response) => {
      if (left-- <= 0) {
        response.writeHead(401).end();
        return true;
      }
      answers++;
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      sent += Math.min(cutBytes, layer.length - start);
      return cutAfter(layer, cutBytes)(request, response);
    }),
  );
  await using first = new Puller({ retries: DEFAULT_RETRIES });
  const violations: string[] = [];
  const most = Math.ceil((layer.length / cutBytes / answersEach) * 2) + 2;
  let processes = 0;
  for (let isDone = false; !isDone && processes < most; processes++) {
    left = answersEach;
    await using next = new Puller({ after: first, retries: DEFAULT_RETRIES });
    isDone = await next.pull(`${registry.host}/big:1`).then(
      () => true,
      () => false,
    );
  }
  const image = await first.store.findImage(`${registry.host}/big:1`);
  if (image === undefined)
    violations.push(`the pull does not come to its end in ${most} processes`);
  const notKept = processes > 1 ? cutBytes * answersEach : 0;
  if (sent > layer.length * MOST_SENT + notKept)
    violations.push(`${sent} bytes were sent for ${layer.length}`);
  return { size: layer.length, sent, answers, processes, violations };
}
