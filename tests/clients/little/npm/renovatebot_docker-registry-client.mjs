// Renovate's copy of docker-registry-client, from before OCI's formats.

import { operationsOf, place } from "./joyent.mjs";

export { place };
export const operations = operationsOf("@renovatebot/docker-registry-client");
