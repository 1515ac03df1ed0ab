import { VERSION } from '../model/version.ts';

/** The program itself, in the shape of podman's `version --format json`. */
export interface VersionReport {
  readonly Client: {
    readonly Version: string;
    readonly APIVersion: string;
    readonly NodeVersion: string;
    readonly Os: string;
    readonly OsArch: string;
  };
}

/** Architectures in Go's words, as engines print them. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** This machine's architecture: amd64, arm64 … */
export const architecture = (): string => ARCHITECTURES[process.arch] ?? process.arch;

export const versionReport = (): VersionReport => ({
  Client: {
    Version: VERSION,
    APIVersion: VERSION,
    NodeVersion: process.version,
    Os: 'linux',
    OsArch: `linux/${architecture()}`,
  },
});
