#!/usr/bin/env bash
# Makes a release in dist/: a static program for each platform with its SBOM, checksums of all, and the manifest of the
# kubectl plugin. The same commit and the same Go give the same bytes, wherever and whenever it runs.
# VERSION and COMMIT are stamped in; PLATFORMS are GOOS/GOARCH pairs. Needs Go, git, GNU tar, gzip and sha256sum.
set -euo pipefail
cd "$(dirname "$0")/.."

: "${VERSION:?}" "${COMMIT:?}"
platforms=${PLATFORMS:-linux/amd64 linux/arm64}
sbom=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

export CGO_ENABLED=0 TZ=UTC LC_ALL=C
umask 022
# The time that all files bear is that of the commit.
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

rm -rf dist
mkdir -p dist/tools
echo "==> $sbom"
GOFLAGS='' GOBIN=$PWD/dist/tools go install "$sbom"
for platform in $platforms; do
	os=${platform%/*} arch=${platform#*/}
	name=holdfast-$os-$arch
	echo "==> $name"
	mkdir "dist/$name"
	# The work tree is not looked at: the version and the commit say what it is.
	GOOS=$os GOARCH=$arch GOFLAGS=-trimpath go build -buildvcs=false \
		-ldflags "-s -w -buildid= -X main.version=$VERSION -X main.commit=$COMMIT" -o "dist/$name/holdfast" ./cmd/holdfast
	cp LICENSE "dist/$name/"
	tar --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mtime="@$epoch" -C "dist/$name" -cf - . |
		gzip -9n >"dist/$name.tar.gz"
	# Of what is in the program. Licenses are not looked for: what is found depends on what Go has downloaded.
	dist/tools/cyclonedx-gomod bin -json -noserial -notimestamp -version "$VERSION" -output "dist/$name.cdx.json" "dist/$name/holdfast" 2>dist/tools/log ||
		{ cat dist/tools/log >&2; exit 1; }
done
rm -rf dist/tools

# The manifest of the plugin: what holds for all platforms, and then each.
{
	sed "s/@VERSION@/$VERSION/" release/krew.yaml
	for platform in $platforms; do
		os=${platform%/*} arch=${platform#*/}
		name=holdfast-$os-$arch
		cat <<-END
			    - selector:
			        matchLabels: {os: $os, arch: $arch}
			      uri: https://github.com/holdfast-io/holdfast/releases/download/$VERSION/$name.tar.gz
			      sha256: $(sha256sum "dist/$name.tar.gz" | cut -d' ' -f1)
			      bin: holdfast
		END
	done
} >dist/krew.yaml

cd dist
sha256sum ./*.tar.gz ./*.cdx.json krew.yaml | sed 's| \./| |' >SHA256SUMS
cat SHA256SUMS
