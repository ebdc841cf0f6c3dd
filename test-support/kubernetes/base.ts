// What `kubectl kustomize` makes of the base in deploy/kubernetes, as far as the base uses it: kustomize itself is not needed.
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import type { IService } from 'kubernetes-models/v1/Service';
import { type Document, isMap, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { ROOT } from '../../scripts/kit/project.ts';

/** The text of each file of a base, by its name. */
export type Files = ReadonlyMap<string, string>;

type Kinds = {
  Namespace: Manifest;
  Deployment: IDeployment;
  Service: IService;
  PodDisruptionBudget: IPodDisruptionBudget;
  HorizontalPodAutoscaler: IHorizontalPodAutoscaler;
  NetworkPolicy: INetworkPolicy;
};

export type Selector = NonNullable<IDeployment['spec']>['selector'];

/** Any object of a manifest, before its form is checked. */
export type Manifest = {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
};

export type Resource<T = Manifest> = { where: string; object: T & Manifest };

/** One kind of pod: what a Deployment runs. */
export type Pods = {
  where: string;
  name: string;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  deployment: IDeployment;
  spec: IPodSpec;
  /** Each Deployment of the base has exactly one, which the checks see to. */
  container: IContainer;
};

export type Base = {
  resources: readonly Resource[];
  /** What the generated Secrets hold: name → key → value. */
  secrets: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** What is wrong with the files as such. */
  problems: readonly string[];
};

const KUSTOMIZATION = 'kustomization.yaml';
const NAME = z.string().min(1);
// Strict: what kustomize could do beyond this, the checks would not see.
const Kustomization = z.strictObject({
  apiVersion: z.literal('kustomize.config.k8s.io/v1beta1'),
  kind: z.literal('Kustomization'),
  namespace: NAME,
  resources: z.array(NAME),
  images: z.array(z.strictObject({ name: NAME, newName: NAME.optional(), newTag: NAME })),
  secretGenerator: z.array(z.strictObject({ name: NAME, literals: z.array(z.string().regex(/^[^=]+=/)) })),
});

/** The files of the project's own base. */
export function ownFiles(): Files {
  const paths = globSync(join(ROOT, 'deploy/kubernetes/*'));
  return new Map(paths.map((path) => [basename(path), readFileSync(path, 'utf8')]));
}

/** Reads a base: its resources with their namespace and images, the Secrets that it generates, and what is wrong. */
export function resolveBase(files: Files): Base {
  const problems: string[] = [];
  const nothing = { resources: [], secrets: new Map(), problems };
  const [first] = parse(KUSTOMIZATION, files.get(KUSTOMIZATION) ?? '', problems);
  const { data: kustomization, error } = Kustomization.safeParse(first);
  if (error !== undefined) {
    problems.push(
      ...error.issues.map(({ path, message }) => `${KUSTOMIZATION}: ${path.join('.')}: ${message}`),
    );
    return nothing;
  }
  const { resources: names, images, namespace } = kustomization;
  for (const name of files.keys())
    if (name !== KUSTOMIZATION && !names.includes(name))
      problems.push(`${KUSTOMIZATION} does not name ${name}`);
  const resources = names.flatMap((name) => {
    const text = files.get(name);
    if (text === undefined) problems.push(`${KUSTOMIZATION} names ${name}, which there is not`);
    return parse(name, text ?? '', problems).flatMap((object) => asResource(name, object, problems));
  });
  const containers = resources.flatMap(
    ({ object }) => (object as IDeployment).spec?.template?.spec?.containers ?? [],
  );
  for (const { name, newName = name, newTag } of images) {
    const found = containers.filter(({ image }) => image === name);
    if (found.length === 0) problems.push(`${KUSTOMIZATION}: no container has the image ${name}`);
    for (const container of found) container.image = `${newName}:${newTag}`;
  }
  for (const { where, object } of resources) {
    if (object.kind !== 'Namespace') object.metadata.namespace = namespace;
    else if (object.metadata.name !== namespace) problems.push(`${where}: the namespace is ${namespace}`);
  }
  const ids = resources.map(
    ({ object: { apiVersion, kind, metadata } }) => `${apiVersion} ${kind} ${metadata.name}`,
  );
  for (const id of ids.filter((each, at) => ids.indexOf(each) !== at)) problems.push(`${id} is there twice`);
  const secrets = kustomization.secretGenerator.map(({ name, literals }) => {
    const pairs = literals.map((literal) => /^([^=]+)=(.*)$/s.exec(literal)?.slice(1) ?? []);
    return [name, Object.fromEntries(pairs)] as const;
  });
  return { resources, secrets: new Map(secrets), problems };
}

/** What is wrong where the servers of one policy are not as those of another, but for its number. */
export function serverDifferences(files: Files): string[] {
  const first = files.get('server-p1.yaml') ?? '';
  return [...files].flatMap(([name, text]) => {
    const [, policy] = /^server-p(\d+)\.yaml$/.exec(name) ?? [];
    const expected = first.replace(/(server-p|policy )1|"1"/g, (one) => one.replace('1', policy ?? ''));
    return policy === undefined || text === expected
      ? []
      : [`${name} differs from server-p1.yaml in more than its policy`];
  });
}

/** What is wrong with one object, of rules that say each whether it is kept and what is to be said where it is not. */
export function unmet(where: string, rules: readonly [isSo: boolean, otherwise: string][]): string[] {
  return rules.filter(([isSo]) => !isSo).map(([, otherwise]) => `${where}: ${otherwise}`);
}

/** The resources of a kind. */
export function ofKind<K extends keyof Kinds>({ resources }: Base, kind: K): Resource<Kinds[K]>[] {
  return resources.filter(({ object }) => object.kind === kind) as Resource<Kinds[K]>[];
}

/** What runs, of resources whose form has been checked. */
export function podsOf(base: Base): Pods[] {
  return ofKind(base, 'Deployment').map(({ where, object }) => {
    const { metadata, spec } = object.spec?.template ?? {};
    return {
      where,
      name: object.metadata.name,
      deployment: object,
      labels: metadata?.labels ?? {},
      annotations: metadata?.annotations ?? {},
      spec: spec as IPodSpec,
      container: spec?.containers[0] as IContainer,
    };
  });
}

const documentsOf = new Map<string, Document[]>();

// As kubectl reads it: YAML 1.1, where 0440 is octal and `yes` is a truth value.
function parse(name: string, text: string, problems: string[]): unknown[] {
  // A base is read again and again with a mistake in one of its files.
  const known = documentsOf.get(text);
  const documents = known ?? [...parseAllDocuments(text, { version: '1.1' })];
  if (known === undefined) documentsOf.set(text, documents);
  return documents.flatMap((document) => {
    problems.push(...[...document.errors, ...document.warnings].map(({ message }) => `${name}: ${message}`));
    if (isMap(document.contents)) return document.errors.length > 0 ? [] : [document.toJS()];
    problems.push(`${name}: a document is no object`);
    return [];
  });
}

function asResource(file: string, object: unknown, problems: string[]): Resource[] {
  const { apiVersion, kind, metadata } = object as Partial<Manifest>;
  if (typeof apiVersion === 'string' && typeof kind === 'string' && typeof metadata?.name === 'string')
    return [{ where: `${file}: ${kind} ${metadata.name}`, object: object as Manifest }];
  problems.push(`${file}: an object without apiVersion, kind or metadata.name`);
  return [];
}
