# Makes the repositories of the comparison in the current folder: one at the top, others in `more/`.
# Every name of an object is the same each time: people, times and contents are fixed.

export GIT_AUTHOR_NAME='Ada Lovelace' GIT_AUTHOR_EMAIL=ada@example.org
export GIT_COMMITTER_NAME='Charles Babbage' GIT_COMMITTER_EMAIL=charles@example.org

clock=1700000000
commit() {
    clock=$((clock + 86400))
    GIT_AUTHOR_DATE="$clock +0130" GIT_COMMITTER_DATE="$clock +0000" git commit -q "$@"
}
begin() {
    git init -q -b main "$1"
    cd "$1"
    git config user.name 'Grace Hopper'
    git config user.email grace@example.org
}

begin .
echo /more/ >> .git/info/exclude
mkdir -p src docs
printf '*.log\nbuild/\n!keep.log\n' > .gitignore
printf '# Project\n\nThe first line.\nThe second line.\nThe third line.\n' > README.md
{
    printf 'use std::env;\n\nfn main() {\n'
    for n in 1 2 3 4 5 6 7 8 9 10 11 12; do printf '    println!("{}", %s);\n' $n; done
    printf '}\n\nfn other() {\n    let a = 1;\n    let b = 2;\n}\n'
} > src/main.rs
printf 'with a space\n' > 'docs/a b.txt'
printf 'no newline at the end' > docs/short.txt
printf 'Zürich\n' > Zürich.txt
printf 'one\000two\n' > data.bin
: > empty.txt
ln -s README.md link
git add -A
commit -m 'First commit' -m 'With a body
of two lines.'

for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo "line $n"; done > src/util.rs
sed -i 's/println!("{}", 6)/println!("six")/' src/main.rs
git rm -q docs/short.txt
git add -A
commit -m 'Second commit'
git tag light
GIT_COMMITTER_DATE="$clock +0000" git tag -a v1 -m 'The first version'

git checkout -q -b feature
printf 'a feature\n' > feature.txt
sed -i 's/The second line/The changed line/' README.md
git add -A
commit -m 'A feature'
git checkout -q main
printf 'main moves on\n' > main.txt
git add -A
commit -m 'On main'
clock=$((clock + 86400))
GIT_AUTHOR_DATE="$clock +0000" GIT_COMMITTER_DATE="$clock +0000" git merge -q --no-ff -m "Merge branch 'feature'" feature
git repack -adq

git mv src/util.rs src/tools.rs
sed -i 's/line 7/line seven/' src/tools.rs
printf 'one\000three\n' > data.bin
chmod +x main.txt
git update-index --chmod=+x main.txt
git rm -q link
printf 'not a link\n' > link
git add -A
commit -m 'Renames, modes and types'
printf 'plain\n' > latin.txt
git add -A
commit -m 'Ümläute'
git checkout -q -b clash HEAD~1
printf 'clash\n' > latin.txt
printf 'from the branch\n' > untracked.txt
# Where no diff with the working tree meets it: the reference never answers one that is not UTF-8.
printf 'latin: \344\n' > latin-1.txt
mkdir -p deep/er
printf 'deep\n' > deep/er/file.txt
git add -A
commit -m 'On a branch'
git checkout -q main
git branch stale HEAD~3
git config branch.main.remote origin
git config branch.main.merge refs/heads/main
git config remote.origin.url https://example.org/project.git
git config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'
git update-ref refs/remotes/origin/main HEAD~1
git update-ref refs/remotes/origin/other HEAD~2
git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main
git pack-refs --all

printf 'changed\n' >> README.md
sed -i -e 's/use std::env;/use std::fs;/' -e 's/let b = 2/let b = 3/' src/main.rs
printf 'staged\n' > staged.txt
git add staged.txt src/main.rs
printf 'more\n' >> src/main.rs
rm 'docs/a b.txt'
mkdir -p new/inner build
printf 'new\n' > new/inner/file.txt
printf 'x\n' > untracked.txt
printf 'x\n' > noise.log
printf 'x\n' > keep.log
printf 'x\n' > build/out
mkdir more
top=$PWD

cd more
mkdir plain
begin unborn
printf 'first\n' > first.txt
cd ..

begin empty
cd ..

begin conflict
printf 'one\ntwo\nthree\n' > both.txt
printf 'gone\n' > gone.txt
git add -A
commit -m Base
git checkout -q -b theirs
printf 'one\nTWO\nthree\n' > both.txt
printf 'kept\n' > gone.txt
git add -A
commit -m Theirs
git checkout -q main
printf 'one\nzwei\nthree\n' > both.txt
git rm -q gone.txt
git add -A
commit -m Ours
git merge -q theirs > /dev/null 2>&1 || true
cd ..

begin detached
for n in 1 2 3; do
    echo $n > count.txt
    git add -A
    commit -m "Count $n"
done
git checkout -q HEAD~1
cd ..

git clone -q --bare "$top/.git" bare.git 2> /dev/null
mkdir -p broken/.git
printf 'ref: nowhere\n' > broken/.git/HEAD
