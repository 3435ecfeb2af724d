// Signs URLs with AWS's own library. Standard input: a JSON list of its options; standard output: a JSON list of URLs.
import { readFileSync } from "node:fs";
import { getSignedUrl } from "@aws-sdk/cloudfront-signer";

const requests = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(requests.map((request) => getSignedUrl(request))));
