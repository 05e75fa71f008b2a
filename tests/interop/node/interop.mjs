// Answers one request a line, on standard input and output: what @sd-jwt/core and jose make of documents.

import { createInterface } from "node:readline";
import { SDJwtInstance } from "@sd-jwt/core";
import { digest, generateSalt, getSigner, getVerifier } from "@sd-jwt/crypto-nodejs";
import { CompactSign, calculateJwkThumbprint, compactVerify, exportJWK, generateKeyPair, importJWK } from "jose";

const ALGORITHMS = {
  ES256: [{ name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: { name: "SHA-256" } }],
  EdDSA: [{ name: "Ed25519" }, { name: "Ed25519" }],
};

async function library({ alg, publicKey, privateKey }) {
  const [key, signature] = ALGORITHMS[alg];
  return new SDJwtInstance({
    hasher: digest,
    hashAlg: "sha-256",
    saltGenerator: generateSalt,
    signAlg: alg,
    verifier: publicKey && (await getVerifier(bare(publicKey), key, signature)),
    signer: privateKey && (await getSigner(bare(privateKey), key, signature)),
  });
}

// WebCrypto refuses keys whose alg and use are not its own words for them.
function bare({ kty, crv, x, y, d }) {
  return JSON.parse(JSON.stringify({ kty, crv, x, y, d }));
}

const OPERATIONS = {
  async key({ alg }) {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = await exportJWK(publicKey);
    return { publicKey: jwk, privateKey: await exportJWK(privateKey), kid: await calculateJwkThumbprint(jwk) };
  },

  async thumbprint({ publicKey }) {
    return calculateJwkThumbprint(publicKey);
  },

  async verify(request) {
    const found = await (await library(request)).verify(request.document);
    const [signed] = request.document.split("~");
    const { protectedHeader } = await compactVerify(signed, await importJWK(request.publicKey, request.alg), {
      algorithms: [request.alg],
    });
    return { payload: found.payload, header: protectedHeader };
  },

  async present(request) {
    return (await library(request)).present(request.document, request.frame);
  },

  async issue(request) {
    return (await library(request)).issue(request.claims, request.frame, { header: request.header });
  },

  async sign(request) {
    const payload = new TextEncoder().encode(JSON.stringify(request.claims));
    const signing = new CompactSign(payload).setProtectedHeader({ ...request.header, alg: request.alg });
    return signing.sign(await importJWK(request.privateKey, request.alg));
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { op, request } = JSON.parse(line);
  let answer;
  try {
    answer = { value: await OPERATIONS[op](request) };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
