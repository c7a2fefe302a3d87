// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Testing

struct WatchTests {
    @Test("a follower sees the present value at once, then the newest one, skipping what it missed")
    func latest() async {
        let watch = Watch(1)
        var changes = watch.changes().makeAsyncIterator()
        #expect(await changes.next() == 1)
        watch.set(2)
        watch.set(3)
        #expect(await changes.next() == 3)
        #expect(watch.value == 3)
        #expect(watch.update { value in
            value += 1
            return value
        } == 4)
        #expect(await changes.next() == 4)
    }

    @Test("a waiting follower is woken, and every follower by itself")
    func woken() async {
        let watch = Watch(0)
        await withTaskGroup(of: Int?.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    for await value in watch.changes() where value > 0 { return value }
                    return nil
                }
            }
            watch.set(7)
            for await seen in group { #expect(seen == 7) }
        }
    }

    @Test("closing ends every follower after the value it still has to see")
    func closed() async {
        let watch = Watch("a")
        var changes = watch.changes().makeAsyncIterator()
        #expect(await changes.next() == "a")
        watch.set("b")
        watch.close()
        #expect(await changes.next() == "b")
        #expect(await changes.next() == nil)
        var late = watch.changes().makeAsyncIterator()
        #expect(await late.next() == "b")
        #expect(await late.next() == nil)
    }

    @Test("a cancelled follower ends, and leaves the others waiting")
    func cancelled() async {
        let watch = Watch(0)
        await withTaskGroup(of: [Int].self) { group in
            group.addTask {
                var seen: [Int] = []
                for await value in watch.changes() { seen.append(value) }
                return seen
            }
            group.cancelAll()
            let seen = await group.next()
            #expect(seen == [] || seen == [0])
        }
        var changes = watch.changes().makeAsyncIterator()
        #expect(await changes.next() == 0)
        watch.set(1)
        #expect(await changes.next() == 1)
    }

    @Test("no change is lost between many writers and many followers")
    func race() async {
        let watch = Watch(0)
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var last = -1
                    for await value in watch.changes() {
                        #expect(value > last)
                        last = value
                        if value == 4000 { return value }
                    }
                    return last
                }
            }
            await withTaskGroup(of: Void.self) { writers in
                for _ in 0..<4 {
                    writers.addTask {
                        for _ in 0..<1000 { watch.update { $0 += 1 } }
                    }
                }
            }
            for await last in group { #expect(last == 4000) }
        }
    }
}
