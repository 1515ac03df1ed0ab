import { join } from 'node:path';

/** Where a store keeps things. `root` survives a reboot, `runroot` need not (it holds sockets, namespaces, PID files). */
export interface StorePaths {
  readonly root: string;
  readonly runroot: string;
}

export const DEFAULT_ROOT = '/var/lib/cryopod';
export const DEFAULT_RUNROOT = '/run/cryopod';

export const databasePath = (store: StorePaths): string => join(store.root, 'state.db');

/** Blobs of images: manifests, configs, layers as they came (OCI image layout: blobs/sha256/HEX). */
export const blobsDirectory = (store: StorePaths): string => join(store.root, 'blobs', 'sha256');
/** Unpacked layers: layers/CHAINID/diff. */
export const layersDirectory = (store: StorePaths): string => join(store.root, 'layers');
export const volumesDirectory = (store: StorePaths): string => join(store.root, 'volumes');
export const networksDirectory = (store: StorePaths): string => join(store.root, 'networks');
/** Scratch space for pulls and imports; anything in it may be removed when no operation is under way. */
export const stagingDirectory = (store: StorePaths): string => join(store.root, 'staging');

/** A container's own directory: bundle, overlay, checkpoint, logs. */
export const containerDirectory = (store: StorePaths, id: string): string =>
  join(store.root, 'containers', id);
/** OCI bundle; conmon writes restore.log here and the attach socket. */
export const bundleDirectory = (store: StorePaths, id: string): string =>
  join(containerDirectory(store, id), 'userdata');
export const overlayDirectory = (store: StorePaths, id: string): string =>
  join(containerDirectory(store, id), 'overlay');
export const checkpointDirectory = (store: StorePaths, id: string): string =>
  join(bundleDirectory(store, id), 'checkpoint');
/** A container's named checkpoints, a directory for each. */
export const historyDirectory = (store: StorePaths, id: string): string =>
  join(containerDirectory(store, id), 'history');

/** A container's volatile directory: PID files, sockets, resolv.conf, shm. */
export const runDirectory = (store: StorePaths, id: string): string => join(store.runroot, 'containers', id);
/** conmon writes a container's exit status here, as a file named by its ID. */
export const exitsDirectory = (store: StorePaths): string => join(store.runroot, 'exits');
export const netnsPath = (store: StorePaths, id: string): string => join(store.runroot, 'netns', id);
/** netavark's and aardvark's working files. */
export const netavarkDirectory = (store: StorePaths): string => join(store.runroot, 'netavark');
/** State directory of the OCI runtime (`--root`). */
export const runtimeStateDirectory = (store: StorePaths, runtime: string): string =>
  join(store.runroot, runtime);
