import { fail } from './errors.ts';

/** 64 hexadecimal digits, as for containers and images in OCI engines. */
export type ContainerId = string;

/** The first 12 digits of an ID, as lists show it. Accepts a `sha256:` prefix. */
export const shortId = (id: string): string => id.replace(/^sha256:/, '').slice(0, 12);

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** What is wrong with a name that podman refuses (they end up in paths and host names); undefined where it is fine. */
export const nameProblem = (name: string, what: string): string | undefined =>
  NAME.test(name)
    ? undefined
    : `${what} name "${name}": names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument`;

/** Refuses such names. */
export function checkName(name: string, what: string): string {
  const message = nameProblem(name, what);
  return message === undefined ? name : fail('USAGE', { message });
}

export const isFullId = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

/** True for text that can be an abbreviated ID. */
export const isIdPrefix = (text: string): boolean => /^[0-9a-f]{1,64}$/.test(text);
