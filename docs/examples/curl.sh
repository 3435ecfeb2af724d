#!/bin/sh
# Sign up, upload, download, delete, with curl alone.
# Usage: curl.sh http://127.0.0.1:8080 [FILE]
set -eu
api="${1:?Usage: $0 URL [FILE]}/graphql"
file="${2:-$0}"

# Prints the text of one field of the JSON answer that it reads.
take() {
  answer=$(cat)
  value=$(printf '%s' "$answer" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p")
  [ -n "$value" ] || { echo "No $1 in the answer: $answer" >&2; exit 1; }
  printf '%s' "$value"
}

# 1. Sign up. The token stands for the session.
name="curl-$(date +%s)-$$"
password=$(od -An -N 16 -t x1 /dev/urandom | tr -d ' \n')
token=$(curl -sS "$api" -H 'Content-Type: application/json' -d '{
  "query": "mutation ($input: SignUpInput!) { signUp(input: $input) { token userErrors { message } } }",
  "variables": { "input": { "username": "'"$name"'", "email": "'"$name"'@example.org",
    "firstName": "Ada", "lastName": "Lovelace", "password": "'"$password"'" } }
}' | take token)
echo "Signed up as $name."

# 2. Upload a file, as the GraphQL multipart request specification says.
uploaded=$(curl -sS "$api" -H "Authorization: Bearer $token" -F operations='{
  "query": "mutation ($input: UploadFileInput!) { uploadFile(input: $input) { file { id downloadUrl { url } } userErrors { message } } }",
  "variables": { "input": { "file": null } }
}' -F map='{ "0": ["variables.input.file"] }' -F "0=@\"$file\"")
id=$(printf '%s' "$uploaded" | take id)
url=$(printf '%s' "$uploaded" | take url)
echo "Uploaded $file."

# 3. Download it by its signed URL: no token needed.
curl -sSf "$url" | cmp - "$file"
echo "Downloaded it: every byte is the same."

# 4. Delete it for good.
curl -sS "$api" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '{
  "query": "mutation ($input: PurgeFilesInput!) { purgeFiles(input: $input) { alert { id } userErrors { message } } }",
  "variables": { "input": { "ids": ["'"$id"'"] } }
}' | take id >/dev/null
echo "Deleted it; the admins have an alert."

# 5. The signed URL is worthless now, and the deletion is proven at both sites.
for second in 0 1 2 3 4 5 6 7 8 9 10; do
  status=$(curl -sS -o /dev/null -w '%{http_code}' "$url")
  case $status in 403 | 404) break ;; esac
  sleep 1
done
echo "Its URL answers $status."
curl -sS "$api" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '{
  "query": "query ($file: ID!) { erasures(filter: { fileId: $file }) { nodes { key primaryConfirmedAt replicaConfirmedAt } } }",
  "variables": { "file": "'"$id"'" }
}'
echo
