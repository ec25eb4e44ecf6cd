import { PolicyTrust } from '../../src/trust/image-trust.js';
import { FakeRegistry } from './fake-registry.js';
import { Puller } from './pull-from.js';
import { pushImage, pushIndex, type PushedDescriptor, type PushTarget } from './push-image.js';
import { buildTar } from './tar-builder.js';
import { TrustDesk } from './trust-desk.js';

/** A registry with an image for the host and one for another machine, and an index of both. */
export class SignedRegistry implements AsyncDisposable {
  readonly desk: TrustDesk;
  readonly fake: FakeRegistry;
  readonly image: PushedDescriptor;
  readonly other: PushedDescriptor;
  readonly index: PushedDescriptor;

  private constructor(parts: Pick<SignedRegistry, 'desk' | 'fake' | 'image' | 'other' | 'index'>) {
    ({
      desk: this.desk,
      fake: this.fake,
      image: this.image,
      other: this.other,
      index: this.index,
    } = parts);
  }

  static async start(): Promise<SignedRegistry> {
    const fake = await FakeRegistry.start();
    const target = { origin: fake.origin, repository: 'etcd' };
    const layers = [{ content: buildTar([{ path: 'a', content: 'a' }]) }];
    const image = await pushImage(target, 'one', { layers, architecture: 'amd64' });
    const other = await pushImage(target, undefined, { layers, architecture: 's390x' });
    const index = await pushIndex(target, 'all', [other, image]);
    const desk = new TrustDesk(`${fake.host}/etcd:all`);
    desk.lookAt(`file://${desk.at('signatures')}`, true);
    return new SignedRegistry({ desk, fake, image, other, index });
  }

  get target(): PushTarget {
    return { origin: this.fake.origin, repository: 'etcd' };
  }

  async prepare(tag: string): Promise<void> {
    await using puller = new Puller({
      trust: new PolicyTrust({
        policy: { path: this.desk.at('policy.json'), isNamed: true },
        registriesD: this.desk.at('registries.d'),
        registryClient: this.desk.registryClient,
        unnamed: this.desk.unnamed,
        onDisk: (path) => Promise.resolve(path),
      }),
    });
    await puller.prepare(`http:${this.fake.host}/etcd:${tag}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.desk[Symbol.dispose]();
    await this.fake[Symbol.asyncDispose]();
  }
}
